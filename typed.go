package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Typed allocation: values and slices in a context, zeroed as Go's are.
//
// Invariant: memory that may hold pointers is cleared, as bytes, before it is
// typed: the write barrier looks at what a pointer slot held before.
//
// Cost: New unfolds where it is called, sizes and the pointer rule folded into
// constants; the clearing is a store for each 16 bytes.

// New sells a zeroed T. It panics with a *Fault when the context is gone, when T
// holds Go pointers and is not Linked, or when it has not the one size of a
// Slab; with an *OutOfMemoryError when the system refuses memory. Owner only.
//
// PostgreSQL: palloc0_object.
func New[T any](mc Context) *T {
	p := osmem.At(typed(mc, typeOf[T](), unsafe.Sizeof(*new(T)), judge, admitNew, admit, sell, bumpConst, setConst, staleNew, slowNew))
	clear((*mostBytes)(p)[:unsafe.Sizeof(*new(T))])
	return (*T)(p)
}

// NewUncleared is New for a T without pointers that is about to be written whole:
// what it holds is undefined. A T with pointers, even a Linked one, is a Fault,
// since the write barrier looks at what was there before.
//
// PostgreSQL: palloc_object.
func NewUncleared[T any](mc Context) *T {
	return (*T)(osmem.At(typed(mc, typeOf[T](), unsafe.Sizeof(*new(T)), judgeUncleared, refusePointers, admit, sell, bumpConst, setConst, staleUncleared, slowUncleared)))
}

// mostBytes is an array as large as any type can be, to be sliced: unlike unsafe.Slice
// it lets the compiler turn a clear of constant size into stores.
type mostBytes [1<<31<<(19*(^uintptr(0)>>63)) - 2]byte // what every compiler allows, and an int counts

// typed is an empty stage: what New can afford to unfold.
func typed(mc Context, t *goType, size uintptr, first typer, look func(*goType), next admitter, sell seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	return first(mc, t, size, look, next, sell, fromBump, fromSet, stale, slow)
}

// judge is the stage before all others: the pointer rule.
func judge(mc Context, t *goType, size uintptr, look func(*goType), next admitter, sell seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if !mayHold(t) {
		look(t)
	}
	return next(mc, size, sell, fromBump, fromSet, stale, slow)
}

type (
	typer    func(mc Context, t *goType, size uintptr, look func(*goType), next admitter, sell seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
	admitter func(mc Context, size uintptr, next seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
)

// judgeUncleared is judge where there must be no pointers at all.
func judgeUncleared(mc Context, t *goType, size uintptr, refuse func(*goType), next admitter, sell seller, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if t.ptrBytes != 0 {
		refuse(t)
	}
	return next(mc, size, sell, fromBump, fromSet, stale, slow)
}

// setConst is allocset.Hot for a size that is a constant. It stands here because
// the compiler carries on only what this package has unfolded itself.
func setConst(c *kind.Core, size uintptr, slow kind.Slow) uintptr {
	return allocset.AllocConst(c, size, allocset.ClassifyConst, allocset.Pop, allocset.Take, allocset.Carve, slow)
}

// bumpConst is bump.Alloc for a size that is a constant.
func bumpConst(c *kind.Core, classless bool, size uintptr, next kind.Stage, slow kind.Slow) uintptr {
	return bump.AllocConst(c, classless, size, next, slow)
}

// admitNew is admitType, for New.
func admitNew(t *goType) { admitType("New", t) }

// staleNew is stale, for New.
func staleNew(mc Context) uintptr { panic(mc.gone("New")) }

// slowNew is slow, for New.
func slowNew(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "New", size, slab.Pop, slab.Take, slab.Cut, sellSlowly)
}

// refusePointers is admitNew, for NewUncleared.
func refusePointers(t *goType) {
	panic(&Fault{Op: fmt.Sprintf("NewUncleared[%v]", t.reflected()),
		Reason: "the type has pointers, and what was in their place before would be taken for some: use New"})
}

// staleUncleared is stale, for NewUncleared.
func staleUncleared(mc Context) uintptr { panic(mc.gone("NewUncleared")) }

// slowUncleared is slow, for NewUncleared.
func slowUncleared(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "NewUncleared", size, slab.Pop, slab.Take, slab.Cut, sellSlowly)
}

// TryNew is New, but returns the *OutOfMemoryError.
func TryNew[T any](mc Context) (*T, error) {
	mc.ready("TryNew", typeOf[T]())
	p, err := mc.zeroed("TryNew", unsafe.Sizeof(*new(T)))
	if err != nil {
		return nil, err
	}
	return (*T)(osmem.At(p)), nil // just sold, of that size
}

// ready panics unless the context is live and may hold values of the type.
func (mc Context) ready(op string, t *goType) {
	mc.check(op)
	if !mayHold(t) {
		admitType(op, t)
	}
}

// zeroed sells size zeroed bytes; the error is an *OutOfMemoryError.
func (mc Context) zeroed(op string, size uintptr) (uintptr, error) {
	p, err := supply(mc.core, op, size)
	if err != nil {
		return 0, mc.refuse(op, size, err)
	}
	if !kind.Blank(kinds.Methods[mc.core.Kind()], p, size) {
		clear(osmem.Bytes(p, size))
	}
	return p, nil
}

// Free takes back the chunk at p, which New sold; it finds the context by
// itself. It panics with a *Fault when p is nil, is not the start of a live
// chunk, or lies in a Bump. Owner only.
//
// PostgreSQL: pfree.
func Free[T any](p *T) { FreePointer(unsafe.Pointer(p)) }
