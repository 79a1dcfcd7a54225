package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Raw allocation: bytes by the number.
//
// Invariant: a handle is checked before anything is touched.
//
// Cost: in a Bump, and in an AllocSet up to 1 KiB, Alloc unfolds where it is
// called; the other kinds and sizes are one call.

// Alloc sells size bytes, on a multiple of 8. Their content is undefined: New,
// MakeSlice and AllocZeroed clear. A size of 0 is legal and gives a chunk of its
// own. Memory that will hold Go pointers must be cleared before it is typed.
// Alloc panics with a *Fault when the context is gone, the size negative or beyond
// half the address space, or not the one size of a Slab; with an *OutOfMemoryError
// when the system or a limit refuses memory. Owner only.
//
// PostgreSQL: MemoryContextAlloc, MemoryContextAllocHuge.
func (mc Context) Alloc(size int) unsafe.Pointer {
	return osmem.At(admit(mc, uintptr(size), sell, bump.Alloc, allocset.Hot, stale, slow))
}

// admit is the first stage of every allocation: there is a handle, and it is
// that of the context that owns the core.
func admit(mc Context, size uintptr, next seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if mc.core == nil || mc.core.Epoch != mc.epoch {
		return stale(mc)
	}
	return next(mc, size, fromBump, fromSet, slow)
}

type seller func(mc Context, size uintptr, fromBump kind.NoClassStage, fromSet kind.Stage, slow kind.Slow) uintptr

// sell is the second stage. A kind without size classes goes the way of a Bump, all
// others that of an AllocSet. A kind that is neither leaves nothing where these two look:
// package kind has the table of the stages, and the rules for kinds that are to be called
// by their methods.
func sell(mc Context, size uintptr, fromBump kind.NoClassStage, fromSet kind.Stage, slow kind.Slow) uintptr {
	return fromBump(mc.core, int64(mc.epoch) < 0, size, fromSet, slow) // the sign is kind.NoClasses
}

// stale is apart from admit because it only ever panics.
func stale(mc Context) uintptr { panic(mc.gone("Context.Alloc")) }

// slow is apart from the kinds' stages because it can call: new blocks, large
// sizes, kinds that do not unfold, and errors.
func slow(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "Context.Alloc", size, slab.Pop, slab.Take, slab.Cut, sellSlowly)
}

// sellSlowly is apart from slow because it can fail.
func sellSlowly(c *kind.Core, op string, size uintptr) uintptr {
	p, err := supply(c, op, size)
	if err != nil {
		raise(c, op, size, err)
	}
	return p
}

// AllocZeroed is Alloc of bytes that are all zero.
//
// PostgreSQL: MemoryContextAllocZero.
func (mc Context) AllocZeroed(size int) unsafe.Pointer {
	p := mc.Alloc(size)
	if size <= fewBytes {
		for i := 0; i < size; i += chunk.Align {
			*(*uint64)(unsafe.Add(p, i)) = 0 // a chunk has whole words
		}
		return p
	}
	if size > kind.MaxKeeper {
		return mc.blankChunk(p, size)
	}
	clear(unsafe.Slice((*byte)(p), size)) // just sold, of that size
	return p
}

// blankChunk clears a new chunk that may be fresh from the system, and so zero.
func (mc Context) blankChunk(p unsafe.Pointer, size int) unsafe.Pointer {
	if !kind.Blank(kinds.Methods[mc.core.Kind()], uintptr(p), uintptr(size)) {
		clear(unsafe.Slice((*byte)(p), size)) // just sold, of that size
	}
	return p
}

// fewBytes are cleared sooner than the runtime is called to clear them.
const fewBytes = 64

// TryAlloc is Alloc, but returns the *OutOfMemoryError.
//
// PostgreSQL: MemoryContextAllocExtended with MCXT_ALLOC_NO_OOM.
func (mc Context) TryAlloc(size int) (unsafe.Pointer, error) {
	mc.check("Context.TryAlloc")
	p, err := supply(mc.core, "Context.TryAlloc", uintptr(size))
	if err != nil {
		return nil, mc.refuse("Context.TryAlloc", uintptr(size), err)
	}
	return osmem.At(p), nil
}

// TryAllocZeroed is AllocZeroed, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: MemoryContextAllocExtended with MCXT_ALLOC_NO_OOM and MCXT_ALLOC_ZERO.
func (mc Context) TryAllocZeroed(size int) (unsafe.Pointer, error) {
	mc.check("Context.TryAllocZeroed")
	p, err := mc.zeroed("Context.TryAllocZeroed", uintptr(size))
	if err != nil {
		return nil, err
	}
	return osmem.At(p), nil
}

// refuse returns what ran out, and panics with what was misused.
func (mc Context) refuse(op string, size uintptr, err error) error {
	err = explain(mc.core, op, size, err)
	if f, ok := err.(*Fault); ok {
		panic(f)
	}
	return err
}

// AllocAligned is Alloc of bytes on a multiple of align, a power of two. Freed
// and resized as any other chunk; Realloc keeps the alignment. The price is up
// to align+8 bytes, in a Bump the gap only. A Slab's chunks lie on multiples of
// 8 and no other. Owner only.
//
// PostgreSQL: MemoryContextAllocAligned.
func (mc Context) AllocAligned(size, align int) unsafe.Pointer {
	p, err := mc.allocAligned("Context.AllocAligned", size, align)
	if err != nil {
		raise(mc.core, "Context.AllocAligned", uintptr(size), err)
	}
	return osmem.At(p)
}

// TryAllocAligned is AllocAligned, but returns the *OutOfMemoryError.
func (mc Context) TryAllocAligned(size, align int) (unsafe.Pointer, error) {
	p, err := mc.allocAligned("Context.TryAllocAligned", size, align)
	if err != nil {
		return nil, mc.refuse("Context.TryAllocAligned", uintptr(size), err)
	}
	return osmem.At(p), nil
}

func (mc Context) allocAligned(op string, size, align int) (uintptr, error) {
	mc.check(op)
	if align <= 0 || align&(align-1) != 0 {
		return 0, kind.Misuse(fmt.Sprintf("an alignment of %d is not a power of two", align))
	}
	if align <= chunk.Align {
		return supply(mc.core, op, uintptr(size))
	}
	m := kinds.Methods[mc.core.Kind()]
	return pressing(mc.core, op, func() (uintptr, error) {
		return m.AllocAligned(mc.core, uintptr(size), uintptr(align))
	})
}
