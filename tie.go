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

// Ties: contexts that belong to a Go object and are to end when the collector frees
// it.
//
// Invariant: what a tie's cleanup leads to does not lead to the owner. Of untying and
// dropping one comes about, once.
//
// Cost: that of runtime.AddCleanup for each tie; nothing for the context.

// Tie deletes the context when the collector has found that owner cannot be reached
// any more, unless it was deleted before, or untied. It is a safety net for what
// nobody deletes, no substitute for Delete: the collector comes late, knows nothing
// of off-heap memory that would be a reason to come, and never comes for an owner
// that is a static variable.
//
// The deletion happens in a goroutine of the runtime. It is safe there though a
// context has an owner, since whoever could use the context through its owner is
// gone, and though somebody may be deleting contexts around it at the same moment.
// Callbacks of BeforeReset run in that goroutine; one that panics does not keep the
// others from running and is written to the standard logger.
//
// Whoever uses the context must keep owner alive until they are done: a method that
// deletes it by itself calls untie first, or ends with runtime.KeepAlive(owner).
// Nothing that the context's callbacks lead to may lead to owner, or it is never
// dropped; what lies in the context does not count, since the collector does not see
// it. Of several owners that are smaller than 16 bytes and without pointers the
// runtime may put some into one piece of memory, which is freed when all of them are
// unreachable: give an owner a pointer field. The race detector does not know
// what the collector knows: an owner's last use of the context and its deletion are
// in order for it only if something else, such as a creation, lies between.
//
// untie takes the tie away and says whether it held and the context is alive, so
// that the caller is the one to delete it. It is a Fault when owner is nil, has no
// size or lies in a context, and when mc is gone or lives as long as the process.
// Any goroutine; untie, too.
func Tie[T any](owner *T, mc Context) (untie func() bool) {
	return tieTo("Tie", owner, mc, deleteDropped)
}

// TieFunc is Tie, but calls dropped instead of deleting the context: to report that
// the program forgot it, to delete it with Dropped.Delete, or both. A context that
// was deleted before is not reported. dropped runs in a goroutine of the runtime, as
// does what it calls: what takes long should start one of its own. It must not lead
// to owner. Its panic ends the program.
func TieFunc[T any](owner *T, mc Context, dropped func(Dropped)) (untie func() bool) {
	return tieTo("TieFunc", owner, mc, dropped)
}

// Dropped is a context whose owner was freed before it was deleted.
type Dropped struct {
	Context    Context
	Name, Path string
	Held       int64  // bytes of the context and of all below it
	Created    string // as in Leak
}

// tie is what the runtime keeps until the owner is freed.
type tie struct {
	mc      Context
	dropped func(Dropped)
	over    atomic.Bool // untied or dropped
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
	case relaxed.Load32(&mc.slot().Has)&tree.IsPermanent != 0:
		f.Reason = "the context lives as long as the process"
	default:
		tree.OpenDropped("Tie")
		return
	}
	panic(f)
}

// drop is what the runtime calls when the owner is freed.
func (t *tie) drop() {
	if !t.over.CompareAndSwap(false, true) {
		return
	}
	if d, live := t.mc.describe(); live {
		t.dropped(d)
	}
}

// describe says which context was dropped, if it is alive.
func (mc Context) describe() (d Dropped, live bool) {
	tree.Lock()
	if live = mc.Live(); live {
		d = Dropped{mc, mc.slot().Name(), tree.PathOf(mc.ref.Core), 0, tree.LineText(mc.ref.CreatedAt())}
	}
	tree.Unlock()
	if live {
		d.Held = mc.sum("")
	}
	return d, live && mc.Live()
}

// Delete deletes the context and all below it; one that was deleted meanwhile is left
// alone. It is safe while contexts around it are deleted or reset. A callback of
// BeforeReset that panics does not keep the others from running; the error says what
// they panicked with. While it goes on the context is not in the tree below Top, and
// counts with no budget: Parent is the zero Context for it, and its Path begins with
// "(dropped)". What its callbacks create below it is deleted, too; what they move away
// from below it is not. In a callback of BeforeReset that comes by what somebody else is
// deleting, it returns, and another goroutine goes on. Any goroutine, if nobody uses the
// context.
//
// PostgreSQL: MemoryContextDelete.
func (d Dropped) Delete() error {
	const op = "Dropped.Delete"
	mc := d.Context
	tree.OpenDropped(op)
	if mc.ref.Detach(op) {
		budget.RechargeBelow(mc.ref)
	}
	return mc.ref.DeleteDropped(op, func() { go deleteDropped(d) })
}

func deleteDropped(d Dropped) {
	if err := d.Delete(); err != nil {
		log.Printf("palloc: deleting the dropped context %q: %v", d.Path, err)
	}
}
