package palloc

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/tree"
)

// Raw allocation: bytes without a type.
//
// Invariant: the Context is checked before any memory is touched. A product that overflows
// is never used as a size.
//
// Cost: for a Bump, and an AllocSet up to 1 KiB, Alloc is inlined; otherwise it is one
// call, as are its variants. AllocAligned is inlined as far as it takes the chunk that an
// AllocSet freed last.

// Alloc returns size uninitialized bytes, aligned to 8; New, MakeSlice and AllocZeroed
// return zeroed ones. A size of 0 is valid and returns a distinct address. Memory that will
// hold Go pointers must be cleared before it is converted to a type with pointers. Alloc
// panics with a *Fault when the context was deleted, when size is negative or more than
// half the address space, or when it is not the chunk size of a Slab. It panics with an
// *OutOfMemoryError when the system or a limit refuses memory. Owner only.
//
// PostgreSQL: MemoryContextAlloc, MemoryContextAllocHuge.
func (mc Context) Alloc(size int) unsafe.Pointer {
	return osmem.At(checkLive(mc, uintptr(size), allocByKind, bump.Alloc, allocset.Hot, stale, slow))
}

// checkLive is the first stage of every allocation: it checks that the context was not
// deleted. It takes the next stages as arguments, so that it can be inlined.
func checkLive(mc Context, size uintptr, next kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if mc.ref.Core == nil || mc.ref.Core.Epoch != mc.ref.Epoch {
		return stale(mc)
	}
	return next(mc, size, fromBump, fromSet, slow)
}

// A kindStage is allocByKind, as an argument of the stages before it.
type kindStage func(mc Context, size uintptr, fromBump kind.NoClassStage, fromSet kind.Stage, slow kind.Slow) uintptr

// allocByKind is the second stage. Kinds without size classes take a Bump's path, all
// others an AllocSet's. A kind that is neither leaves nothing where these two look: package
// kind has the table of the stages.
func allocByKind(mc Context, size uintptr, fromBump kind.NoClassStage, fromSet kind.Stage, slow kind.Slow) uintptr {
	return fromBump(mc.ref.Core, int64(mc.ref.Epoch) < 0, size, fromSet, slow) // the sign is kind.NoClasses
}

// stale panics. It is separate so that checkLive can be inlined.
func stale(mc Context) uintptr { panic(mc.gone("Context.Alloc")) }

// slow is separate so that the kinds' stages can be inlined. It handles new blocks, large
// sizes, kinds that are not inlined, and errors.
func slow(c *kind.Core, size uintptr) uintptr {
	if budget.HasDetour() {
		return detour(c, size)
	}
	return allocset.Medium(c, size, slower)
}

// detour is slow in a process that has more to do than to allocate.
func detour(c *kind.Core, size uintptr) uintptr {
	if budget.AsksOrSamples() {
		return slower(c, size)
	}
	if checked.Is(c.Kind()) {
		if p := checked.Alloc(c, size); p != 0 {
			return p
		}
	}
	return allocset.Medium(c, size, slower)
}

// slower handles what is no AllocSet's chunk of a size class from memory at hand.
func slower(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "Context.Alloc", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// allocOrPanic is the last stage: it tries all ways to get memory, and panics when they
// fail.
func allocOrPanic(c *kind.Core, op string, size uintptr) uintptr {
	p, err := budget.Alloc(c, op, size)
	if err != nil {
		panic(explain(c, op, size, err))
	}
	return p
}

// AllocZeroed returns size bytes that are all zero. It panics as Alloc does. Owner only.
//
// PostgreSQL: MemoryContextAllocZero.
func (mc Context) AllocZeroed(size int) unsafe.Pointer {
	return allocThenClear(mc, size, Context.Alloc, clearChunk)
}

// allocThenClear takes its stages as arguments, so that it can be inlined with the hot path
// of Alloc.
func allocThenClear(mc Context, size int, alloc func(Context, int) unsafe.Pointer, clear func(p unsafe.Pointer, size uintptr, c *kind.Core)) unsafe.Pointer {
	p := alloc(mc, size)
	clear(p, uintptr(size), mc.ref.Core)
	return p
}

// clearChunk clears a new chunk of size bytes, in as few stores as will do: they overlap,
// and the last word is cleared whole, since a chunk consists of words.
func clearChunk(p unsafe.Pointer, size uintptr, c *kind.Core) {
	end := unsafe.Add(p, (size+chunk.Align-1)&^(chunk.Align-1)) // of the chunk, or before
	switch {
	case size > 128:
		clearLarge(p, size, c)
	case size%chunk.Align != 0 && c.End == 0: // a checked context has a red zone there
		clear(osmem.Bytes(uintptr(p), size))
	case size > 64:
		*(*[8]uint64)(p) = [8]uint64{}
		*(*[8]uint64)(unsafe.Add(end, -64)) = [8]uint64{}
	case size > 32:
		*(*[4]uint64)(p) = [4]uint64{}
		*(*[4]uint64)(unsafe.Add(end, -32)) = [4]uint64{}
	case size > 16:
		*(*[2]uint64)(p) = [2]uint64{}
		*(*[2]uint64)(unsafe.Add(end, -16)) = [2]uint64{}
	case size > 0:
		*(*uint64)(p) = 0
		*(*uint64)(unsafe.Add(end, -8)) = 0
	}
}

// clearLarge clears a new chunk, unless it is fresh from the system and known to be zero.
func clearLarge(p unsafe.Pointer, size uintptr, c *kind.Core) {
	if size <= kind.MaxKeeper || !kind.Blank(kinds.Methods[c.Kind()], uintptr(p), size) {
		clear(unsafe.Slice((*byte)(p), size)) // just allocated, of that size
	}
}

// TryAlloc works as Alloc does, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: MemoryContextAllocExtended with MCXT_ALLOC_NO_OOM.
func (mc Context) TryAlloc(size int) (unsafe.Pointer, error) {
	mc.check("Context.TryAlloc")
	return mc.alloc("Context.TryAlloc", uintptr(size))
}

// TryAllocZeroed works as AllocZeroed does, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: MemoryContextAllocExtended with MCXT_ALLOC_NO_OOM and MCXT_ALLOC_ZERO.
func (mc Context) TryAllocZeroed(size int) (unsafe.Pointer, error) {
	mc.check("Context.TryAllocZeroed")
	return mc.zeroed("Context.TryAllocZeroed", uintptr(size))
}

// alloc allocates size bytes; its error is an *OutOfMemoryError.
func (mc Context) alloc(op string, size uintptr) (unsafe.Pointer, error) {
	p, err := budget.Alloc(mc.ref.Core, op, size)
	if err != nil {
		return nil, mc.refuse(op, size, err)
	}
	return osmem.At(p), nil
}

// zeroed works as alloc does; the bytes are zero.
func (mc Context) zeroed(op string, size uintptr) (unsafe.Pointer, error) {
	p, err := mc.alloc(op, size)
	if err != nil {
		return nil, err
	}
	clearChunk(p, size, mc.ref.Core)
	return p, nil
}

// must returns what a function returned that panics, and whose Try twin returns the error.
func must[T any](result T, err error) T {
	if err != nil {
		panic(err)
	}
	return result
}

// refuse returns err as an *OutOfMemoryError, or panics when it is a misuse.
func (mc Context) refuse(op string, size uintptr, err error) error {
	err = explain(mc.ref.Core, op, size, err)
	if f, ok := err.(*Fault); ok {
		panic(f)
	}
	return err
}

// AllocArray returns an array of n elements of size bytes each, as Alloc of n*size bytes
// does. Its content is undefined: MakeSlice returns a typed, zeroed slice. It panics with a
// *Fault when n or size is negative or the product overflows, and as Alloc does. Owner
// only.
//
// PostgreSQL: palloc_mul, palloc_array.
func (mc Context) AllocArray(n, size int) unsafe.Pointer {
	return must(mc.allocArray("Context.AllocArray", n, size))
}

// TryAllocArray works as AllocArray does, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: palloc_mul_extended, palloc_array_extended.
func (mc Context) TryAllocArray(n, size int) (unsafe.Pointer, error) {
	return mc.allocArray("Context.TryAllocArray", n, size)
}

func (mc Context) allocArray(op string, n, size int) (unsafe.Pointer, error) {
	mc.check(op)
	total, err := product(n, size)
	if err != nil {
		return nil, mc.refuse(op, 0, err)
	}
	return mc.alloc(op, total)
}

// product returns n*size; its error is a kind.Misuse.
func product(n, size int) (uintptr, error) {
	over, total := bits.Mul64(uint64(n), uint64(size))
	if n < 0 || size < 0 || over != 0 || total > uint64(kind.MaxChunk) {
		return 0, kind.Misuse(fmt.Sprintf("an array of %d elements of %d bytes: neither may be negative, and the product must fit in the address space", n, size))
	}
	return uintptr(total), nil
}

// AllocAligned returns size uninitialized bytes, aligned to align, a power of two.
// FreePointer and Realloc work on the chunk as on any other; Realloc keeps the alignment.
// In an AllocSet, up to 8 KiB and to an align of 4096, it is a chunk of Alloc that lies
// behind a gap, and smaller chunks serve from the gap; in a Bump it lies behind a gap, too.
// Otherwise it takes up to align+8 bytes more than one of Alloc. An align that is no power
// of two, or in a Slab more than 8, is a Fault; otherwise it panics as Alloc does. Owner
// only.
//
// PostgreSQL: MemoryContextAllocAligned.
func (mc Context) AllocAligned(size, align int) unsafe.Pointer {
	return osmem.At(checkLiveAligned(mc, size, align, allocset.Aligned, staleAligned, slowAligned))
}

// checkLiveAligned is the first stage of AllocAligned, as checkLive is of Alloc.
func checkLiveAligned(mc Context, size, align int, next kind.AlignedStage, stale func(Context) uintptr, slow kind.AlignedSlow) uintptr {
	if mc.ref.Core == nil || mc.ref.Core.Epoch != mc.ref.Epoch {
		return stale(mc)
	}
	return next(mc.ref.Core, uintptr(size), uintptr(align), allocset.PopAligned, slow)
}

// staleAligned panics. It is separate so that checkLiveAligned can be inlined.
func staleAligned(mc Context) uintptr { panic(mc.gone("Context.AllocAligned")) }

// slowAligned is the last stage: chunks that are not inlined, and errors.
func slowAligned(c *kind.Core, size, align uintptr) uintptr {
	mc := Context{tree.RefOf(c)}
	return uintptr(must(mc.allocAligned("Context.AllocAligned", int(size), int(align))))
}

// TryAllocAligned works as AllocAligned does, but returns the *OutOfMemoryError. Owner only.
func (mc Context) TryAllocAligned(size, align int) (unsafe.Pointer, error) {
	return mc.allocAligned("Context.TryAllocAligned", size, align)
}

// AllocAlignedZeroed returns size bytes that are all zero, aligned to align as AllocAligned does, and
// panics as it does. Owner only.
//
// PostgreSQL: MemoryContextAllocAligned with MCXT_ALLOC_ZERO.
func (mc Context) AllocAlignedZeroed(size, align int) unsafe.Pointer {
	p := mc.AllocAligned(size, align)
	clearChunk(p, uintptr(size), mc.ref.Core)
	return p
}

// TryAllocAlignedZeroed works as AllocAlignedZeroed does, but returns the *OutOfMemoryError. Owner only.
func (mc Context) TryAllocAlignedZeroed(size, align int) (unsafe.Pointer, error) {
	p, err := mc.allocAligned("Context.TryAllocAlignedZeroed", size, align)
	if err == nil {
		clearChunk(p, uintptr(size), mc.ref.Core)
	}
	return p, err
}

func (mc Context) allocAligned(op string, size, align int) (unsafe.Pointer, error) {
	mc.check(op)
	if align <= 0 || align&(align-1) != 0 {
		return nil, mc.refuse(op, uintptr(size), kind.Misuse(fmt.Sprintf("an alignment of %d is not a power of two", align)))
	}
	if align <= chunk.Align {
		return mc.alloc(op, uintptr(size))
	}
	if budget.HasOwnerRequests() {
		budget.AnswerFor(mc.ref.Core, op)
	}
	c := mc.ref.Core
	p, err := kinds.Methods[c.Kind()].AllocAligned(c, uintptr(size), uintptr(align))
	tree.RaisePending()
	if err != nil {
		return mc.allocAlignedAgain(op, uintptr(size), uintptr(align), err)
	}
	return osmem.At(p), nil
}

// allocAlignedAgain is separate so that allocAligned makes no closure.
func (mc Context) allocAlignedAgain(op string, size, align uintptr, err error) (unsafe.Pointer, error) {
	c := mc.ref.Core
	p, err := budget.Retry(c, op, false, err, func() (uintptr, error) { return kinds.Methods[c.Kind()].AllocAligned(c, size, align) })
	if err != nil {
		return nil, mc.refuse(op, size, err)
	}
	return osmem.At(p), nil
}
