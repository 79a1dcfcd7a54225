package checked

import (
	"runtime/metrics"
	"sync/atomic"
	"unsafe"
)

// Which addresses are in Go's heap, where stacks are, too.
//
// Invariant: with 64 bits Go's heap grows upward from an address that is chosen as the program begins, and has no
// other memory in between. With 32 bits, and where Go's heap follows the program's own memory, nothing is known.
//
// Cost: a few comparisons; runtime/metrics is read for an address behind the end that was read last, within 1 TiB of the
// beginning.

// heapStep is the unit in which Go reserves address space for its heap, in bytes. It is less on some systems.
const heapStep = 64 << 20

// heapClasses are the metrics whose sum is the size of Go's heap, used or not.
var heapClasses = [...]string{
	"/memory/classes/heap/free:bytes",
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/heap/unused:bytes",
}

// heapSize is a size that Go's heap has had, in bytes. It never shrinks.
var heapSize atomic.Uintptr

// onGoHeap reports whether an address is certainly in Go's heap. Any goroutine.
func onGoHeap(p uintptr) bool {
	early := uintptr(unsafe.Pointer(freshPage)) // allocated as the program begins; only compared
	static := uintptr(unsafe.Pointer(&freshPage))
	begin := early &^ (heapStep - 1)
	if ^uintptr(0)>>32 == 0 || uint64(p-begin)>>40 != 0 || static-begin < heapStep {
		return false
	}
	ends := func(size uintptr) uintptr { return (early + size + heapStep - 1) &^ (heapStep - 1) }
	return p < ends(heapSize.Load()) || p < ends(readHeapSize())
}

// readHeapSize reads the size of Go's heap, stores it in heapSize and returns it.
func readHeapSize() (size uintptr) {
	var samples [len(heapClasses)]metrics.Sample
	for i, name := range heapClasses {
		samples[i].Name = name
	}
	metrics.Read(samples[:])
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			size += uintptr(s.Value.Uint64())
		}
	}
	heapSize.Store(size)
	return size
}
