package osmem

import (
	"errors"
	"slices"
	"sync"
	"unsafe"
)

// GoHeap makes memory of large Go objects without pointers in them. They are
// kept for ever, and Go's collector does not move objects, so their addresses
// may be held as numbers. Nothing goes back to the system.
var GoHeap Source = &goHeap{}

type goHeap struct {
	mu   sync.Mutex
	kept [][]uint64
}

func (*goHeap) Name() string        { return "goheap" }
func (*goHeap) RegionSize() uintptr { return goHeapRegion }

func (g *goHeap) Reserve(size uintptr) (uintptr, error) {
	if size > goHeapMost {
		return 0, ErrNoMemory
	}
	piece := make([]uint64, size/8)
	g.mu.Lock()
	g.kept = append(g.kept, piece)
	g.mu.Unlock()
	return uintptr(unsafe.Pointer(unsafe.SliceData(piece))), nil // kept alive above
}

func (g *goHeap) Release(addr, size uintptr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept = slices.DeleteFunc(g.kept, func(piece []uint64) bool {
		return uintptr(unsafe.Pointer(unsafe.SliceData(piece))) == addr // only compared
	})
}

func (*goHeap) Commit(addr, size uintptr) error  { return nil } // large Go objects are made zero
func (*goHeap) Discard(addr, size uintptr) error { return errKept }
func (*goHeap) DiscardFrees() bool               { return false }
func (*goHeap) DiscardZeroes() bool              { return true } // nothing is discarded

var errKept = errors.New("memory of Go's heap is kept for ever")
