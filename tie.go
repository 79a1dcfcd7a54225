package palloc

import (
	"log"
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Ties: contexts that belong to a Go object, and end when the collector frees it.
//
// Invariant: nothing reachable from a tie's cleanup leads to the owner. Either untie or the
// cleanup takes effect, once.
//
// Cost: that of runtime.AddCleanup for each tie; nothing for the context.

// Tie deletes the context after the collector found that owner is unreachable, unless the
// context was deleted or untied before. It is a safety net for contexts that are never
// deleted, and does not replace Delete: the collector runs late, does not run because of
// off-heap memory, and never frees an owner that is a static variable.
//
// The deletion runs in a goroutine of the runtime. This is safe although contexts have one
// owner: what used the context through owner is unreachable, and concurrent deletions of
// contexts around it are handled. Callbacks of BeforeReset run in that goroutine. A panic
// of one is written to the standard logger, and does not keep the others from running.
//
// A user of the context must keep owner reachable until it is done: a method that deletes
// the context itself calls untie first, or ends with runtime.KeepAlive(owner). Nothing
// reachable from the context's callbacks may lead to owner, or it is never freed. The
// content of the context does not count, since the collector does not scan it. The runtime
// may place several owners that are smaller than 16 bytes and without pointers in one piece
// of memory, which is freed when all are unreachable: give an owner a pointer field. The
// race detector may report the deletion as a race with the last use of the context through
// owner, since it does not know that owner was unreachable in between; it does not if
// something else, such as a creation of a context, orders the two.
//
// untie removes the tie and reports whether it was in force and the context is live: then
// the caller must delete it. It is a Fault when owner is nil, has size 0 or is in a
// context; and when mc was deleted or lives as long as the process. Any goroutine; untie,
// too.
func Tie[T any](owner *T, mc Context) (untie func() bool) {
	return tieTo("Tie", owner, mc, deleteDropped)
}

// TieFunc works as Tie does, but calls dropped instead of deleting the context: to report that
// the program forgot it, to delete it with Dropped.Delete, or both. It is not called for a
// context that was deleted before. dropped runs in a goroutine of the runtime, as does what
// it calls: start another goroutine for what takes long. owner must not be reachable from
// dropped. A panic of dropped ends the program. Any goroutine; untie, too.
func TieFunc[T any](owner *T, mc Context, dropped func(Dropped)) (untie func() bool) {
	return tieTo("TieFunc", owner, mc, dropped)
}

// A Dropped is a context that was not deleted before its owner was freed.
type Dropped struct {
	Context    Context
	Name, Path string
	Held       int64  // bytes of blocks that the context and all contexts below it hold
	Created    string // as in Leak
}

// A tie is what the runtime keeps until the owner is freed.
type tie struct {
	mc      Context
	dropped func(Dropped)
	over    atomic.Bool // whether it was untied or dropped
}

func tieTo[T any](op string, owner *T, mc Context, dropped func(Dropped)) (untie func() bool) {
	checkTie(op, reflect.ValueOf(owner), mc)
	t := &tie{mc: mc, dropped: dropped}
	cleanup := runtime.AddCleanup(owner, (*tie).drop, t)
	return func() bool {
		cleanup.Stop()
		return t.over.CompareAndSwap(false, true) && t.mc.Live()
	}
}

func checkTie(op string, owner reflect.Value, mc Context) {
	mc.check(op)
	f := &Fault{Op: op, Context: mc.Path(), Address: owner.Pointer()}
	_, inside := block.Find(f.Address)
	switch {
	case owner.IsNil():
		f.Reason = "the owner is nil"
	case owner.Type().Elem().Size() == 0:
		f.Reason = "the owner has no size, and all such share one address: give it a field"
	case inside:
		f.Reason = "the owner lies in a context, where the collector never frees it: tie to an object on Go's heap"
	case relaxed.Load32(&mc.ref.Node().Has)&tree.IsPermanent != 0:
		f.Reason = "the context lives as long as the process"
	default:
		tree.OpenDropped("Tie")
		return
	}
	panic(raise(f))
}

// drop is the cleanup: the runtime calls it when the owner is freed.
func (t *tie) drop() {
	if !t.over.CompareAndSwap(false, true) {
		return
	}
	if d, live := t.mc.describe(); live {
		t.dropped(d)
	}
}

// describe returns the context as a Dropped, and reports whether it is live.
func (mc Context) describe() (d Dropped, live bool) {
	tree.Lock()
	if live = mc.Live(); live {
		d = Dropped{mc, mc.ref.Node().Name(), tree.PathOf(mc.ref.Core), 0, tree.LineText(mc.ref.CreatedAt())}
	}
	tree.Unlock()
	if live {
		d.Held = mc.sum("")
	}
	return d, live && mc.Live()
}

// Delete deletes the context and all contexts below it, unless that was done meanwhile. It
// is safe while contexts around it are deleted or reset. A panic of a callback of
// BeforeReset does not keep the others from running; the error contains all panics. During
// the deletion the context is not in the tree below Top, and counts in no budget: its
// Parent is the zero Context, and its Path begins with "(dropped)". Contexts that its
// callbacks create below it are deleted, too; those that they move away are not. If Delete
// is called in a callback of BeforeReset and reaches a context that another deletion has
// claimed, it returns, and another goroutine continues. Any goroutine, if no goroutine uses
// the context.
//
// PostgreSQL: MemoryContextDelete.
func (d Dropped) Delete() error {
	const op = "Dropped.Delete"
	mc := d.Context
	tree.OpenDropped(op)
	if mc.ref.Detach(op) {
		budget.RechargeBelow(mc.ref)
	}
	defer reportPending()
	return mc.ref.DeleteDropped(op, func() { go deleteDropped(d) })
}

func deleteDropped(d Dropped) {
	if err := d.Delete(); err != nil {
		log.Printf("palloc: deleting the dropped context %q: %v", d.Path, err)
	}
}
