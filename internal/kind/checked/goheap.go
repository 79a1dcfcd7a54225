package checked

import (
	"runtime/metrics"
	"sync"
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

// goHeap is what was read of Go's heap last.
var goHeap struct {
	size atomic.Uintptr // bytes
	sync.Mutex
	samples [len(heapClasses)]metrics.Sample
}

// onGoHeap reports whether an address is certainly in Go's heap. Any goroutine.
func onGoHeap(p uintptr) bool {
	early := uintptr(unsafe.Pointer(freshPage)) // allocated as the program begins; only compared
	static := uintptr(unsafe.Pointer(&freshPage))
	begin := early &^ (heapStep - 1)
	if ^uintptr(0)>>32 == 0 || uint64(p-begin)>>40 != 0 || static-begin < heapStep {
		return false
	}
	end := func() uintptr { return (early + goHeap.size.Load() + heapStep - 1) &^ (heapStep - 1) }
	if p >= end() {
		readGoHeap()
	}
	return p < end()
}

// readGoHeap reads the size of Go's heap, which never shrinks.
func readGoHeap() {
	goHeap.Lock()
	defer goHeap.Unlock()
	size := uint64(0)
	for i, name := range heapClasses {
		goHeap.samples[i].Name = name
	}
	metrics.Read(goHeap.samples[:])
	for _, s := range goHeap.samples {
		if s.Value.Kind() == metrics.KindUint64 {
			size += s.Value.Uint64()
		}
	}
	goHeap.size.Store(uintptr(size))
}
