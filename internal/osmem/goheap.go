package osmem

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// GoHeap is a source that allocates large Go objects without pointers. They are kept
// for ever, and Go's collector does not move objects, so that addresses may be kept
// as numbers. Discard always fails.
var GoHeap Source = &goHeap{}

type goHeap struct {
	mu   sync.Mutex
	kept [][]uint64
}

func (*goHeap) Name() string        { return "goheap" }
func (*goHeap) RegionSize() uintptr { return goHeapRegion }
func (*goHeap) DiscardFrees() bool  { return false }
func (*goHeap) DiscardZeroes() bool { return true } // nothing is ever discarded

func (g *goHeap) Reserve(size uintptr) (uintptr, error) {
	if size > maxGoHeapReserve {
		return 0, fmt.Errorf("%w: %d bytes, and Go's heap is asked for at most %d at a time", ErrNoMemory, size, uint64(maxGoHeapReserve))
	}
	words := make([]uint64, size/8)
	g.mu.Lock()
	g.kept = append(g.kept, words)
	g.mu.Unlock()
	return uintptr(unsafe.Pointer(unsafe.SliceData(words))), nil // kept alive above
}

func (g *goHeap) Release(addr, size uintptr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept = slices.DeleteFunc(g.kept, func(words []uint64) bool {
		return uintptr(unsafe.Pointer(unsafe.SliceData(words))) == addr // only compared
	})
}

func (*goHeap) Commit(addr, size uintptr) error  { return nil } // large Go objects are zero
func (*goHeap) Populates() bool                  { return false }
func (*goHeap) Populate(addr, size uintptr)      {}
func (*goHeap) Discard(addr, size uintptr) error { return errKept }

func (*goHeap) Protects() bool                   { return false }
func (*goHeap) Protect(addr, size uintptr) error { return errKept }

var errKept = errors.New("memory of Go's heap is neither discarded nor protected")
