package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/typerule"
)

// Typed allocation: values in a context, zeroed as Go's are.
//
// Invariant: memory that may hold pointers is cleared, as bytes, before it is converted to
// its type: the write barrier reads the old value of a pointer.
//
// Cost: New is inlined, with sizes and the pointer rule as constants; clearing takes a
// store for each 16 bytes.

// New returns a zeroed T. It panics with a *Fault when the context was deleted, when T has
// Go pointers that NoHeapPointers or AllowPointers does not cover, or when the size of T is
// not the chunk size of a Slab; and with an *OutOfMemoryError when the system or a limit
// refuses memory. Owner only.
//
// PostgreSQL: palloc0_object.
func New[T any](mc Context) *T {
	p := osmem.At(allocTyped(mc, typerule.Of[T](), unsafe.Sizeof(*new(T)), checkType, acceptNew, checkLive, allocByKind, bumpConst, setConst, staleNew, slowNew))
	clear((*maxBytes)(p)[:unsafe.Sizeof(*new(T))])
	return (*T)(p)
}

// NewUninitialized returns a T whose content is undefined, for a T without pointers that is
// written as a whole next. It panics as New does. A T with pointers is a Fault, even if it
// embeds NoHeapPointers, since the write barrier reads the old value of a pointer. Owner
// only.
//
// PostgreSQL: palloc_object.
func NewUninitialized[T any](mc Context) *T {
	return (*T)(osmem.At(allocTyped(mc, typerule.Of[T](), unsafe.Sizeof(*new(T)), checkNoPointers, refusePointers, checkLive, allocByKind, bumpConst, setConst, staleUninitialized, slowUninitialized)))
}

// maxBytes is an array as large as any type. Unlike unsafe.Slice, a slice of it lets the
// compiler turn a clear of constant size into stores.
type maxBytes [1<<31<<(19*(^uintptr(0)>>63)) - 2]byte // the largest size that every compiler allows and an int holds

// allocTyped only calls first: so it fits the budget for inlining New, which checkType does
// not.
func allocTyped(mc Context, t *typerule.Type, size uintptr, first typeStage, refuse func(Context, *typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	return first(mc, t, size, refuse, next, byKind, fromBump, fromSet, stale, slow)
}

// checkType is the stage before checkLive: it applies the pointer rule.
func checkType(mc Context, t *typerule.Type, size uintptr, refuse func(Context, *typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if !rule.Accepts(t) {
		refuse(mc, t)
	}
	return next(mc, size, byKind, fromBump, fromSet, stale, slow)
}

// Stages as arguments of the stages before them.
type (
	typeStage func(mc Context, t *typerule.Type, size uintptr, refuse func(Context, *typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
	liveStage func(mc Context, size uintptr, next kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr
)

// checkNoPointers is checkType for NewUninitialized: it refuses every type with pointers.
func checkNoPointers(mc Context, t *typerule.Type, size uintptr, refuse func(Context, *typerule.Type), next liveStage, byKind kindStage, fromBump kind.NoClassStage, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if t.HasPointers() {
		refuse(mc, t)
	}
	return next(mc, size, byKind, fromBump, fromSet, stale, slow)
}

// setConst is allocset.Hot for a constant size. It is in this package since the compiler
// inlines further only what the package itself has inlined.
func setConst(c *kind.Core, size uintptr, slow kind.Slow) uintptr {
	return allocset.AllocConst(c, size, allocset.ClassifyConst, allocset.Pop, allocset.Take, allocset.Carve, slow)
}

// bumpConst is bump.Alloc for a constant size.
func bumpConst(c *kind.Core, classless bool, size uintptr, next kind.Stage, slow kind.Slow) uintptr {
	return bump.AllocConst(c, classless, size, next, slow)
}

// acceptNew is mustAccept for New.
func acceptNew(mc Context, t *typerule.Type) {
	mustAccept("New", t)
	mc.expect(t)
}

// staleNew is stale for New.
func staleNew(mc Context) uintptr { panic(mc.gone("New")) }

// slowNew is slow for New.
func slowNew(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "New", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// refusePointers is acceptNew for NewUninitialized: it panics.
func refusePointers(_ Context, t *typerule.Type) {
	panic(raise(&Fault{Op: fmt.Sprintf("NewUninitialized[%v]", t.Reflect()),
		Reason: "the type has pointers, and uninitialized memory would be read as pointers: use New"}))
}

// staleUninitialized is stale for NewUninitialized.
func staleUninitialized(mc Context) uintptr { panic(mc.gone("NewUninitialized")) }

// slowUninitialized is slow for NewUninitialized.
func slowUninitialized(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "NewUninitialized", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// TryNew works as New does, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: palloc_extended with MCXT_ALLOC_NO_OOM and MCXT_ALLOC_ZERO.
func TryNew[T any](mc Context) (*T, error) { return tryNew[T](mc, "TryNew") }

func tryNew[T any](mc Context, op string) (*T, error) {
	mc.ready(op, typerule.Of[T]())
	mc.expect(typerule.Of[T]())
	p, err := mc.zeroed(op, unsafe.Sizeof(*new(T)))
	return (*T)(p), err // just allocated, of that size; or nil
}

// ready panics unless the context is live and accepts values of the type.
func (mc Context) ready(op string, t *typerule.Type) {
	mc.check(op)
	if !rule.Accepts(t) {
		mustAccept(op, t)
	}
}

// expect tells a checked context that its next chunk holds values of the type.
func (mc Context) expect(t *typerule.Type) {
	if mc.records(t) {
		checked.Expect(mc.ref.Core, t.Reflect())
	}
}

// records reports whether the context may record that its next chunk holds values of the type.
func (mc Context) records(t *typerule.Type) bool {
	return t.HasPointers() && rule.Watched() && mc.Live() && checked.Is(mc.ref.Core.Kind())
}

// Free frees the chunk at p, which New returned, of whichever context. It panics with a
// *Fault when p is nil, is not the start of a live chunk, or is in a Bump. Owner only.
//
// PostgreSQL: pfree.
func Free[T any](p *T) { FreePointer(unsafe.Pointer(p)) }
