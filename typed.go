package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/typerule"
)

// Typed allocation: values in a context, zeroed as Go's are.
//
// Invariant: memory that may hold pointers is cleared, as bytes, before it is
// typed: the write barrier looks at what a pointer slot held before.
//
// Cost: New is inlined, sizes and the pointer rule folded into constants; clearing
// takes a store for each 16 bytes.

// New returns a zeroed T. It panics with a *Fault when the context is gone, when T
// holds Go pointers and does not embed NoHeapPointers, or when it has not the one size of a
// Slab; with an *OutOfMemoryError when the system or a limit refuses memory. Owner only.
//
// PostgreSQL: palloc0_object.
func New[T any](mc Context) *T {
	p := osmem.At(allocTyped(mc, typerule.Of[T](), unsafe.Sizeof(*new(T)), checkType, acceptNew, checkLive, allocByKind, bumpConst, setConst, staleNew, slowNew))
	clear((*maxBytes)(p)[:unsafe.Sizeof(*new(T))])
	return (*T)(p)
}

// NewUninitialized returns a T whose content is undefined, for a T without pointers that is
// about to be written whole. It panics as New does. A T with pointers, even one that embeds NoHeapPointers,
// is a Fault, since the write barrier looks at what was there before. Owner only.
//
// PostgreSQL: palloc_object.
func NewUninitialized[T any](mc Context) *T {
	return (*T)(osmem.At(allocTyped(mc, typerule.Of[T](), unsafe.Sizeof(*new(T)), checkNoPointers, refusePointers, checkLive, allocByKind, bumpConst, setConst, staleUninitialized, slowUninitialized)))
}

// maxBytes is an array as large as any type can be. Unlike unsafe.Slice, slicing it lets
// the compiler turn a clear of constant size into stores.
type maxBytes [1<<31<<(19*(^uintptr(0)>>63)) - 2]byte // what every compiler allows, and an int counts

// allocTyped only calls first: it fits the budget for inlining New, which checkType does not.
func allocTyped(mc Context, t *typerule.Type, size uintptr, first typeStage, refuse func(*typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	return first(mc, t, size, refuse, next, byKind, fromBump, fromSet, stale, slow)
}

// checkType is the stage before all others: it applies the pointer rule.
func checkType(mc Context, t *typerule.Type, size uintptr, refuse func(*typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if !rule.Accepts(t) {
		refuse(t)
	}
	return next(mc, size, byKind, fromBump, fromSet, stale, slow)
}

type (
	typeStage func(mc Context, t *typerule.Type, size uintptr, refuse func(*typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
	liveStage func(mc Context, size uintptr, next kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
)

// checkNoPointers is checkType for NewUninitialized, which accepts no pointers at all.
func checkNoPointers(mc Context, t *typerule.Type, size uintptr, refuse func(*typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if t.HasPointers() {
		refuse(t)
	}
	return next(mc, size, byKind, fromBump, fromSet, stale, slow)
}

// setConst is allocset.Hot for a size that is a constant. It is in this package because
// the compiler carries on only what the package itself has inlined.
func setConst(c *kind.Core, size uintptr, slow kind.Slow) uintptr {
	return allocset.AllocConst(c, size, allocset.ClassifyConst, allocset.Pop, allocset.Take, allocset.Carve, slow)
}

// bumpConst is bump.Alloc for a size that is a constant.
func bumpConst(c *kind.Core, classless bool, size uintptr, next kind.Stage, slow kind.Slow) uintptr {
	return bump.AllocConst(c, classless, size, next, slow)
}

// acceptNew is mustAccept for New.
func acceptNew(t *typerule.Type) { mustAccept("New", t) }

// staleNew is stale for New.
func staleNew(mc Context) uintptr { panic(mc.gone("New")) }

// slowNew is slow for New.
func slowNew(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "New", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// refusePointers is acceptNew for NewUninitialized: it always panics.
func refusePointers(t *typerule.Type) {
	panic(&Fault{Op: fmt.Sprintf("NewUninitialized[%v]", t.Reflect()),
		Reason: "the type has pointers, and uninitialized memory would be read as pointers: use New"})
}

// staleUninitialized is stale for NewUninitialized.
func staleUninitialized(mc Context) uintptr { panic(mc.gone("NewUninitialized")) }

// slowUninitialized is slow for NewUninitialized.
func slowUninitialized(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "NewUninitialized", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// TryNew is New, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: palloc_extended with MCXT_ALLOC_NO_OOM and MCXT_ALLOC_ZERO.
func TryNew[T any](mc Context) (*T, error) {
	mc.ready("TryNew", typerule.Of[T]())
	p, err := mc.zeroed("TryNew", unsafe.Sizeof(*new(T)))
	if err != nil {
		return nil, err
	}
	return (*T)(osmem.At(p)), nil // just allocated, of that size
}

// ready panics unless the context is live and may hold values of the type.
func (mc Context) ready(op string, t *typerule.Type) {
	mc.check(op)
	if !rule.Accepts(t) {
		mustAccept(op, t)
	}
}

// zeroed allocates size zeroed bytes; the error is an *OutOfMemoryError.
func (mc Context) zeroed(op string, size uintptr) (uintptr, error) {
	p, err := budget.Alloc(mc.ref.Core, op, size)
	if err != nil {
		return 0, mc.refuse(op, size, err)
	}
	if !kind.Blank(kinds.Methods[mc.ref.Core.Kind()], p, size) {
		clear(osmem.Bytes(p, size))
	}
	return p, nil
}

// Free takes back the chunk at p, which New returned; it finds the context by
// itself. It panics with a *Fault when p is nil, is not the start of a live
// chunk, or lies in a Bump. Owner only.
//
// PostgreSQL: pfree.
func Free[T any](p *T) { FreePointer(unsafe.Pointer(p)) }
