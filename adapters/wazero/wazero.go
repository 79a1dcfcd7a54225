// Package wazero lets wazero have the linear memories of WebAssembly modules in a context.
//
// It holds: Allocator, an experimental.MemoryAllocator.
//
//	mc := palloc.NewAllocSet(palloc.Top(), "modules", palloc.Shared())
//	defer mc.Delete()
//	ctx = experimental.WithMemoryAllocator(ctx, wazero.New(mc))
//	module, err := runtime.Instantiate(ctx, binary)
//
// A memory grows where it is, as long as address space is free behind it. The limit of the context,
// or of one above it, limits what all its modules have: a module's memory.grow beyond it returns -1.
//
// Invariant: a memory's bytes are the beginning of one chunk, zero where the module has not written.
//
// Cost: that of palloc; clearing what a memory grows by, unless it is fresh from the system.
package wazero

import (
	"unsafe"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/gopalloc/palloc"
)

// Allocator makes linear memories in a context. The owner of the context may instantiate and run
// modules with it; any goroutine, if the context was created with palloc.Shared.
type Allocator struct{ mc palloc.Context }

var _ experimental.MemoryAllocator = (*Allocator)(nil)

// New returns an Allocator for a context, which is no Slab and no Bump. The modules must be closed
// before the context ends. Any goroutine.
func New(mc palloc.Context) *Allocator { return &Allocator{mc} }

// Allocate returns an empty memory. Within its first capacity it does not move, so that a shared
// memory, whose capacity is its maximum, never does.
func (a *Allocator) Allocate(capacity, _ uint64) experimental.LinearMemory {
	return &memory{mc: a.mc, capacity: capacity}
}

// memory is one linear memory.
type memory struct {
	mc       palloc.Context
	capacity uint64 // of the chunk; before the first Reallocate, of the first one
	bytes    []byte
}

// Reallocate returns the memory with size bytes, or nil when there is no memory for that.
func (m *memory) Reallocate(size uint64) []byte {
	switch {
	case m.bytes == nil:
		m.capacity = max(m.capacity, size, 1)
		b, err := palloc.TryMakeSlice[byte](m.mc, int(m.capacity), int(m.capacity))
		if err != nil {
			return nil
		}
		m.bytes = b
	case size > m.capacity:
		p, err := palloc.TryReallocZeroed(unsafe.Pointer(unsafe.SliceData(m.bytes)), int(m.capacity), int(size))
		if err != nil {
			return nil
		}
		m.bytes, m.capacity = unsafe.Slice((*byte)(p), size), size // all of the resized chunk
	}
	return m.bytes[:size:size]
}

// Free frees the memory. It may be called more than once.
func (m *memory) Free() {
	if m.bytes != nil {
		palloc.FreeSlice(m.bytes)
		m.bytes = nil
	}
}
