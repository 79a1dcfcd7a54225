package palloc_test

import (
	"bytes"
	"log"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Ties: contexts that end when the collector frees their owners.

// A tiedOwner is an object that has a context.
type tiedOwner struct {
	mc   palloc.Context
	data []byte // lies in mc
}

func newOwner(parent palloc.Context, seed int) *tiedOwner {
	o := &tiedOwner{mc: palloc.NewAllocSet(parent, "owned")}
	o.data = palloc.MakeSlice[byte](o.mc, 2000, 2000)
	scribble(o.data, seed)
	return o
}

// collected runs the collector until done returns true. It returns false when that takes too
// long.
func collected(done func() bool) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
		if done() {
			return true
		}
	}
	return false
}

// settled takes the tree's lock: it tells the race detector that the owners' operations
// happen before those that follow.
func settled() { palloc.NewSlab(palloc.Top(), "settled", 8).Delete() }

func TestDroppedOwnersTakeTheirContextsAlong(t *testing.T) {
	owners, collections := sized(10_000, 1000), sized(100, 20)
	mc := newRoot(t)
	kept := newOwner(mc, 77)
	palloc.Tie(kept, kept.mc)
	before := mc.TreeHeld()
	all := tieMany(t, mc, owners)
	settled()
	left := len(all)
	if !collected(func() bool { left = countLive(all); return left == 0 }) {
		t.Fatalf("%d of %d contexts live on", left, owners)
	}
	if now := mc.TreeHeld(); now != before || count(mc) != 1 {
		t.Errorf("%d bytes are held, and were before; %d children", now, before)
	}
	for range collections {
		runtime.GC()
	}
	if !kept.mc.Live() || !scribbled(kept.data, 77) || count(mc) != 1 {
		t.Error("the context of an owner that is reachable is gone")
	}
	runtime.KeepAlive(kept)
}

// tieMany creates owners and drops them all at once. Some of their contexts have children,
// some callbacks.
func tieMany(t *testing.T, mc palloc.Context, n int) (all []palloc.Context) {
	var owners []*tiedOwner
	for i := range n {
		o := newOwner(mc, i)
		palloc.Tie(o, o.mc)
		owners, all = append(owners, o), append(all, o.mc)
		if i%3 == 0 {
			palloc.NewBump(palloc.NewGeneration(o.mc, "below"), "below").Alloc(10)
		}
		if i%5 == 0 {
			o.mc.BeforeReset(func() {})
		}
	}
	if held := mc.TreeHeld(); held < int64(n)*2000 || countLive(all) != n {
		t.Errorf("the contexts of %d owners hold %d bytes; %d live", n, held, countLive(all))
	}
	runtime.KeepAlive(owners)
	return all
}

func countLive(all []palloc.Context) (n int) {
	for _, c := range all {
		if c.Live() {
			n++
		}
	}
	return n
}

func TestUntieKeepsTheContext(t *testing.T) {
	mc := newRoot(t)
	untied, witness := untieOne(t, mc), newWitness(mc)
	settled()
	if !collected(witness) {
		t.Fatal("the witness was not collected")
	}
	if !untied.Live() {
		t.Error("it was deleted although it was untied")
	}
}

func untieOne(t *testing.T, mc palloc.Context) palloc.Context {
	o := newOwner(mc, 1)
	untie := palloc.Tie(o, o.mc)
	if !untie() || untie() {
		t.Error("untie works once")
	}
	gone := palloc.Tie(o, newKind(mc, palloc.KindBump, "gone", 0))
	for c := range mc.Children() {
		if c.Name() == "gone" {
			c.Delete()
		}
	}
	if gone() {
		t.Error("a tie to a context that is deleted held")
	}
	return o.mc
}

// newWitness ties a context to an object that is dropped at once. The returned function
// reports whether the context was deleted.
func newWitness(mc palloc.Context) func() bool {
	o := newOwner(mc, 2)
	palloc.Tie(o, o.mc)
	c := o.mc
	return func() bool { return !c.Live() }
}

func TestATieToADeletedContextDoesNothing(t *testing.T) {
	mc := newRoot(t)
	var told atomic.Int32
	next := tieAndDelete(mc, &told)
	witness := newWitness(mc)
	settled()
	if !collected(witness) {
		t.Fatal("the witness was not collected")
	}
	if !next.Live() || told.Load() != 0 {
		t.Errorf("the next context of the node lives: %v; %d were reported", next.Live(), told.Load())
	}
}

// tieAndDelete ties a context and deletes it. It returns the next context of its node.
func tieAndDelete(mc palloc.Context, told *atomic.Int32) palloc.Context {
	o := newOwner(mc, 1)
	palloc.TieFunc(o, o.mc, func(palloc.Dropped) { told.Add(1) })
	palloc.Tie(o, o.mc)
	o.mc.Delete()
	runtime.KeepAlive(o)
	return palloc.NewAllocSet(mc, "owned")
}

func TestTieFuncIsToldAndDecides(t *testing.T) {
	mc := newRoot(t)
	recording(t)
	reports := make(chan palloc.Dropped, 1)
	func() {
		o := newOwner(mc, 9)
		palloc.TieFunc(o, o.mc, func(d palloc.Dropped) { reports <- d })
	}()
	settled()
	var d palloc.Dropped
	if !collected(func() bool {
		select {
		case d = <-reports:
			return true
		default:
			return false
		}
	}) {
		t.Fatal("the function was not called")
	}
	if d.Name != "owned" || d.Path != "Top/test/owned" || d.Held != d.Context.TreeHeld() || d.Held < 2000 ||
		!strings.HasSuffix(d.Created, "palloc_test.newOwner") {
		t.Errorf("told was %+v", d)
	}
	if !d.Context.Live() || d.Context.Parent() != mc {
		t.Error("it was deleted although only a report was asked for")
	}
	for range 2 { // the second has nothing to do
		if err := d.Delete(); err != nil || d.Context.Live() {
			t.Errorf("after Delete: %v, live %v", err, d.Context.Live())
		}
	}
}

func TestAPanicOfADroppedContextsCallbackIsContained(t *testing.T) {
	var said bytes.Buffer
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	mc := newRoot(t)
	var ran atomic.Int32
	c := tieWithCallbacks(mc, &ran)
	settled()
	if !collected(func() bool { return !c.Live() }) {
		t.Fatal("the context lives on")
	}
	witness := newWitness(mc) // the log has been written
	settled()
	collected(witness)
	log.Print("end")
	if text := said.String(); ran.Load() != 3 || !strings.Contains(text, "alas") || !strings.Contains(text, `"Top/test/owned"`) {
		t.Errorf("%d of 3 callbacks ran; the log says\n%s", ran.Load(), text)
	}
}

func tieWithCallbacks(mc palloc.Context, ran *atomic.Int32) palloc.Context {
	o := newOwner(mc, 1)
	c := o.mc
	below := palloc.NewBump(c, "below")
	c.BeforeReset(func() { ran.Add(1) })
	c.BeforeReset(func() { ran.Add(1); panic("alas") })
	below.BeforeReset(func() { ran.Add(1); panic("alas, below") })
	palloc.Tie(o, c)
	return c
}

func TestDroppedDeleteSaysWhatCallbacksPanickedWith(t *testing.T) {
	mc := newRoot(t)
	madeTie(mc)
	c := palloc.NewAllocSet(mc, "c")
	kept := palloc.CloneString(c, "still here")
	c.BeforeReset(func() { panic("first") })
	palloc.NewAllocSet(c, "below").BeforeReset(func() { panic("second, " + kept) })
	err := palloc.Dropped{Context: c}.Delete()
	if err == nil || !strings.Contains(err.Error(), "first") || !strings.Contains(err.Error(), "second, still here") || c.Live() {
		t.Errorf("the error is %v; live %v", err, c.Live())
	}
}

func TestAContextThatWasDroppedLeavesItsBudgets(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	before := mc.Budget().Held
	witness := newWitness(mc)
	settled()
	if !collected(witness) {
		t.Fatal("the context lives on")
	}
	if held := mc.Budget().Held; held != mc.TreeHeld() || held != before {
		t.Errorf("the budget holds %d bytes, and held %d before", held, before)
	}
}

func TestWhatCannotBeTiedIsAFault(t *testing.T) {
	palloc.Emergency()
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	inside := palloc.New[leaf](c)
	gone := palloc.NewAllocSet(mc, "gone")
	gone.Delete()
	for _, bad := range []struct {
		name  string
		tie   func()
		where string
		words string
	}{
		{"no owner", func() { palloc.Tie((*leaf)(nil), c) }, "Top/test/c", "nil"},
		{"an owner without size", func() { palloc.Tie(&struct{}{}, c) }, "Top/test/c", "no size"},
		{"an owner in a context", func() { palloc.Tie(inside, c) }, "Top/test/c", "lies in a context"},
		{"a deleted context", func() { palloc.Tie(new(tiedOwner), gone) }, "gone", "deleted"},
		{"no context", func() { palloc.Tie(new(tiedOwner), palloc.Context{}) }, "", "zero Context"},
		{"the root", func() { palloc.Tie(new(tiedOwner), palloc.Top()) }, "Top", "as long as the process"},
		{"the emergency context", func() { palloc.TieFunc(new(tiedOwner), palloc.Emergency(), nil) }, "Top/ErrorContext", "as long as the process"},
	} {
		t.Run(bad.name, func(t *testing.T) { wantFault(t, bad.tie, "Tie", bad.where, bad.words) })
	}
	wantFault(t, func() { _ = palloc.Dropped{Context: palloc.Top()}.Delete() }, "Dropped.Delete", "Top", "as long as the process")
	if err := (palloc.Dropped{}).Delete(); err != nil {
		t.Errorf("where there is no context: %v", err)
	}
}

const trapped = 30 << 10 // more than a context keeps when it is reset

// newTrap returns a context with a callback that waits, and then checks the memory of the
// context. caught is closed when the callback begins.
func newTrap(t *testing.T, parent palloc.Context) (trap palloc.Context, caught, open chan bool) {
	trap, caught, open = palloc.NewAllocSet(parent, "trap"), make(chan bool), make(chan bool)
	data := palloc.MakeSlice[byte](trap, trapped, trapped)
	scribble(data, 5)
	trap.BeforeReset(func() {
		close(caught)
		<-open
		if !scribbled(data, 5) || !trap.Live() {
			t.Error("the context went while its callback ran")
		}
	})
	return trap, caught, open
}

// deleteDropped deletes a context as the cleanup of its owner does.
func deleteDropped(t *testing.T, mc palloc.Context) {
	if err := (palloc.Dropped{Context: mc}).Delete(); err != nil {
		t.Error(err)
	}
}

// madeTie makes a tie, which prepares the tree for dropped contexts.
func madeTie(mc palloc.Context) {
	o := newOwner(mc, 1)
	if palloc.Tie(o, o.mc)() {
		o.mc.Delete()
	}
}

func TestADroppedContextWaitsForTheDeletionThatIsInside(t *testing.T) {
	for name, end := range map[string]func(palloc.Context){
		"Delete":        palloc.Context.Delete,
		"Reset":         palloc.Context.Reset,
		"ResetChildren": palloc.Context.ResetChildren,
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			madeTie(mc)
			parent := palloc.NewAllocSet(mc, "parent")
			dropped := palloc.NewAllocSet(parent, "dropped")
			trap, caught, open := newTrap(t, dropped)
			var both sync.WaitGroup
			both.Go(func() { end(parent) })
			<-caught
			both.Go(func() { deleteDropped(t, dropped) })
			time.Sleep(5 * time.Millisecond) // a goroutine that does not wait has overwritten the memory by now
			close(open)
			both.Wait()
			if trap.Live() || dropped.Live() {
				t.Error("what was dropped lives on")
			}
		})
	}
}

// TestADroppedContextIsDeletedAfterWhatEndedMeanwhile has the deletion of a dropped context
// wait for another deletion, which ends while the first checks whether it has to wait. With
// many blocks that takes long.
func TestADroppedContextIsDeletedAfterWhatEndedMeanwhile(t *testing.T) {
	for range 10 {
		mc := newRoot(t)
		madeTie(mc)
		parent := palloc.NewAllocSet(mc, "parent")
		dropped := palloc.NewAllocSet(parent, "dropped")
		trap, caught, open := newTrap(t, dropped)
		for range 1000 {
			trap.Alloc(16 << 10)
		}
		var both sync.WaitGroup
		both.Go(parent.Delete)
		<-caught
		both.Go(func() { deleteDropped(t, dropped) })
		close(open)
		both.Wait()
		if trap.Live() || dropped.Live() {
			t.Error("what was dropped lives on")
		}
	}
}

func TestADeletionDoesNotWaitForWhatIsDroppedBelow(t *testing.T) {
	mc := newRoot(t)
	madeTie(mc)
	parent := palloc.NewAllocSet(mc, "parent")
	dropped := palloc.NewAllocSet(parent, "dropped")
	trap, caught, open := newTrap(t, dropped)
	var other sync.WaitGroup
	other.Go(func() { deleteDropped(t, dropped) })
	<-caught
	if trap.Path() != "(dropped)/dropped/trap" || count(parent) != 0 {
		t.Errorf("it hangs at %q while it is deleted", trap.Path())
	}
	parent.Delete()
	mc.Reset()
	close(open)
	other.Wait()
	if trap.Live() || dropped.Live() {
		t.Error("what was dropped lives on")
	}
}

// TestDroppedContextsAndDeletedParents drops contexts, some below other dropped ones, while
// their parents are reset and deleted. Each callback must run once and find its memory
// unchanged.
func TestDroppedContextsAndDeletedParents(t *testing.T) {
	rounds := sized(60, 12)
	mc := newRoot(t)
	stop := collect()
	defer stop()
	var made, ran, spoiled atomic.Int64
	together(4, func(i int) {
		for round := range rounds {
			parent := palloc.NewAllocSet(mc, "parent")
			for j := range 20 {
				dropFamily(parent, j, &made, &ran, &spoiled)
			}
			if round%2 == 0 {
				runtime.GC()
			}
			if round%3 == 0 {
				parent.ResetChildren()
			}
			if round%3 == 1 {
				parent.Reset()
			}
			parent.Delete()
		}
	})
	if !collected(func() bool { return ran.Load() == made.Load() }) {
		t.Errorf("%d of %d callbacks ran", ran.Load(), made.Load())
	}
	if spoiled.Load() != 0 {
		t.Errorf("%d callbacks found their memory changed", spoiled.Load())
	}
}

func dropFamily(parent palloc.Context, seed int, made, ran, spoiled *atomic.Int64) {
	outer, inner := newOwner(parent, seed), (*tiedOwner)(nil)
	inner = newOwner(outer.mc, seed)
	for _, o := range []*tiedOwner{outer, inner} {
		data := uintptr(unsafe.Pointer(&o.data[0])) // not the owner
		made.Add(1)
		o.mc.BeforeReset(func() {
			ran.Add(1)
			if !scribbled(bytesAt(addressed(data), 2000), seed) {
				spoiled.Add(1)
			}
		})
		palloc.Tie(o, o.mc)
	}
}

// addressed returns a pointer to memory of a context, by its address.
func addressed(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

func TestTiesMayBeMadeAndTakenAwayAnywhere(t *testing.T) {
	mc := newRoot(t)
	var deleted sync.Map
	together(8, func(i int) {
		parent := palloc.NewAllocSet(mc, "parent")
		for j := range 50 {
			o := newOwner(parent, j)
			untie := palloc.Tie(o, o.mc)
			if j%2 == 0 {
				if untie() {
					o.mc.Delete()
				} else {
					t.Error("an owner that is in use was dropped")
				}
			}
			deleted.Store(o.mc, true)
			runtime.KeepAlive(o)
		}
	})
	settled()
	if !collected(func() bool {
		live := 0
		deleted.Range(func(c, _ any) bool {
			if c.(palloc.Context).Live() {
				live++
			}
			return true
		})
		return live == 0
	}) {
		t.Error("contexts live on")
	}
}

// TestAResetPassesOverWhatIsBeingDeleted checks that a dropped context whose callback runs
// keeps its memory during a reset, though the reset had already listed it.
func TestAResetPassesOverWhatIsBeingDeleted(t *testing.T) {
	mc := newRoot(t)
	madeTie(mc)
	parent := palloc.NewAllocSet(mc, "parent")
	first := palloc.NewAllocSet(parent, "first")
	trap, caught, open := newTrap(t, parent)
	var other sync.WaitGroup
	first.BeforeReset(func() {
		other.Go(func() { deleteDropped(t, trap) })
		<-caught
	})
	parent.ResetChildren()
	scribble(bytesAt(parent.Alloc(trapped), trapped), 6) // overwrites the trap's memory, if that was freed
	close(open)
	other.Wait()
	if trap.Live() {
		t.Error("what was dropped lives on")
	}
}

// TestACallbackOfADroppedContextSeesNoParent has the callback create contexts: those below
// the dropped context are deleted, those elsewhere stay. It cannot create siblings of it.
func TestACallbackOfADroppedContextSeesNoParent(t *testing.T) {
	mc := newRoot(t)
	madeTie(mc)
	before := len(names(palloc.Top().All()))
	dropped := palloc.NewAllocSet(mc, "dropped")
	saved := palloc.NewAllocSet(dropped, "saved")
	var below, elsewhere palloc.Context
	dropped.BeforeReset(func() {
		if p := dropped.Parent(); p != (palloc.Context{}) {
			t.Errorf("the parent is %v", p)
		}
		if path := dropped.Path(); path != "(dropped)/dropped" {
			t.Errorf("the path is %q", path)
		}
		wantFault(t, func() { palloc.NewAllocSet(dropped.Parent(), "nowhere") }, "NewAllocSet", "", "zero Context")
		below = palloc.NewAllocSet(dropped, "below")
		below.Alloc(100)
		elsewhere = palloc.NewAllocSet(mc, "elsewhere")
	})
	inner := palloc.NewAllocSet(dropped, "inner")
	inner.BeforeReset(func() { saved.SetParent(mc) })
	deleteDropped(t, dropped)
	wantLive(t, false, dropped, inner, below)
	wantLive(t, true, saved, elsewhere)
	wantNames(t, "what is left", mc.All(), "test", "elsewhere", "saved")
	if now := len(names(palloc.Top().All())); now != before+2 {
		t.Errorf("%d contexts are there, and %d were before", now, before)
	}
}

// TestADroppedContextIsDeletedInItsOwnCallback deletes a dropped context in its callback,
// which the deletion of an ancestor may run.
func TestADroppedContextIsDeletedInItsOwnCallback(t *testing.T) {
	for name, end := range map[string]func(dropped, parent palloc.Context){
		"the dropped one": func(dropped, _ palloc.Context) { deleteDropped(t, dropped) },
		"an ancestor":     func(_, parent palloc.Context) { parent.Delete() },
		"a reset":         func(_, parent palloc.Context) { parent.ResetChildren() },
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			madeTie(mc)
			parent := palloc.NewAllocSet(mc, "parent")
			dropped := palloc.NewAllocSet(parent, "dropped")
			ran := false
			dropped.BeforeReset(func() { ran = true; deleteDropped(t, dropped) })
			end(dropped, parent)
			eventually(t, "it is deleted", func() bool { return !dropped.Live() })
			if !ran {
				t.Error("the callback did not run")
			}
		})
	}
}
