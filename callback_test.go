package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Callbacks: which run when a context is reset or deleted, in which order, and what a
// callback may do.

// A journal holds the lines that callbacks wrote, in order.
type journal []string

// on registers a callback that writes a line.
func (j *journal) on(mc palloc.Context, line string) (stop func() bool) {
	return mc.BeforeReset(func() { *j = append(*j, line) })
}

// want checks the lines and removes them.
func (j *journal) want(t *testing.T, when string, lines ...string) {
	t.Helper()
	if !slices.Equal(*j, lines) {
		t.Errorf("%s: callbacks ran %q, not %q", when, *j, lines)
	}
	*j = nil
}

func TestTheNewestCallbackRunsFirstAndEachOnce(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for name, end := range map[string]func(palloc.Context){
			"Reset": palloc.Context.Reset, "ResetOnly": palloc.Context.ResetOnly, "Delete": palloc.Context.Delete,
		} {
			var j journal
			c := newKind(newRoot(t), k, "c", 64)
			j.on(c, "1") // on a context without chunks, too
			j.on(c, "2")
			j.on(c, "3")
			end(c)
			j.want(t, name, "3", "2", "1")
			if c.Live() {
				end(c)
				j.want(t, "a second "+name)
			}
		}
	})
}

// newJournal returns a tree whose contexts have two callbacks each: p with the children c1,
// which has the child g, and c2, the newest.
func newJournal(t *testing.T) (p palloc.Context, j *journal) {
	j = new(journal)
	p = palloc.NewAllocSet(newRoot(t), "p")
	c1 := palloc.NewAllocSet(p, "c1")
	for _, c := range []palloc.Context{p, c1, palloc.NewGeneration(c1, "g"), palloc.NewBump(p, "c2")} {
		j.on(c, c.Name()+".1")
		j.on(c, c.Name()+".2")
	}
	return p, j
}

func TestCallbacksOfChildrenRunBeforeTheirParents(t *testing.T) {
	below := []string{"c2.2", "c2.1", "g.2", "g.1", "c1.2", "c1.1"}
	all := append(slices.Clone(below), "p.2", "p.1")
	p, j := newJournal(t)
	p.Delete()
	j.want(t, "Delete", all...)
	p, j = newJournal(t)
	p.Reset()
	j.want(t, "Reset", all...)
	p, j = newJournal(t)
	p.DeleteChildren()
	j.want(t, "DeleteChildren", below...)
	p.ResetOnly()
	j.want(t, "ResetOnly", "p.2", "p.1")
}

func TestResetChildrenRunsCallbacksOfChildrenFirst(t *testing.T) {
	p, j := newJournal(t)
	p.ResetChildren()
	place := func(line string) int { return slices.Index(*j, line) }
	if len(*j) != 6 || place("p.1") >= 0 || place("g.1") > place("c1.2") || place("c2.2") > place("c2.1") {
		t.Errorf("callbacks ran %q", *j)
	}
	*j = nil
	p.ResetChildren()
	j.want(t, "a second time")
}

func TestStopTakesACallbackAway(t *testing.T) {
	var j journal
	c := palloc.NewAllocSet(newRoot(t), "c")
	j.on(c, "1")
	stop2 := j.on(c, "2")
	stop3 := j.on(c, "3")
	if !stop2() || stop2() {
		t.Error("stop does not say whether the callback was waiting")
	}
	c.Reset()
	j.want(t, "Reset", "3", "1")
	if stop3() {
		t.Error("a callback that ran was still waiting")
	}
	stop := j.on(c, "4")
	if !stop() {
		t.Error("the only callback was not waiting")
	}
	stop = j.on(c, "5")
	c.Delete()
	j.want(t, "Delete", "5")
	if stop() {
		t.Error("a callback of a deleted context was still waiting")
	}
}

func TestStopOfADeletedContextLeavesTheNextAlone(t *testing.T) {
	var j journal
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	stop := j.on(c, "old")
	c.Delete()
	j.want(t, "Delete", "old")
	next := palloc.NewAllocSet(mc, "c")
	j.on(next, "new")
	if stop() {
		t.Error("stop found its callback in the next context")
	}
	next.Delete()
	j.want(t, "the next context", "new")
}

// panics runs f and returns the value that it panics with.
func panics(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

func TestACallbackThatPanicsIsNotRunAgain(t *testing.T) {
	for name, end := range map[string]func(palloc.Context){
		"Reset": palloc.Context.Reset, "ResetOnly": palloc.Context.ResetOnly, "Delete": palloc.Context.Delete,
	} {
		t.Run(name, func(t *testing.T) {
			var j journal
			mc := newRoot(t)
			c := palloc.NewAllocSet(mc, "c")
			p := c.Alloc(64)
			scribble(bytesAt(p, 64), 6)
			j.on(c, "1")
			c.BeforeReset(func() { j = append(j, "2"); panic("from 2") })
			j.on(c, "3")
			if r := panics(func() { end(c) }); r != "from 2" {
				t.Errorf("the panic is %v", r)
			}
			j.want(t, "the first attempt", "3", "2")
			if !c.Live() || !scribbled(bytesAt(p, 64), 6) || c.Path() != "Top/test/c" {
				t.Error("the context did not survive")
			}
			end(c)
			j.want(t, "the second attempt", "1")
			wantOrder(t, mc)
		})
	}
}

func TestAPanicBelowLeavesTheTreeDeletable(t *testing.T) {
	for name, end := range map[string]func(palloc.Context){
		"Reset": palloc.Context.Reset, "DeleteChildren": palloc.Context.DeleteChildren,
		"Delete": palloc.Context.Delete, "ResetChildren": palloc.Context.ResetChildren,
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			p := palloc.NewAllocSet(mc, "p")
			runs := 0
			at := p
			for range 10 {
				at = palloc.NewAllocSet(at, "c")
				at.Alloc(64)
				at.BeforeReset(func() { runs++; panic("no") })
			}
			for range 10 {
				if panics(func() { end(p) }) != "no" {
					t.Fatal("a panic was lost")
				}
			}
			end(p)
			if runs != 10 {
				t.Errorf("10 callbacks ran %d times", runs)
			}
			wantOrder(t, mc)
		})
	}
}

func TestACallbackMayRegisterAnother(t *testing.T) {
	var j journal
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	j.on(c, "1")
	again := func() {
		c.BeforeReset(func() {
			j = append(j, "2")
			j.on(c, "from 2")
		})
	}
	again()
	c.Reset()
	j.want(t, "Reset", "2", "from 2", "1")
	again()
	c.Delete()
	j.want(t, "Delete", "2", "from 2")
	if c.Live() {
		t.Error("the context lives")
	}
}

func TestACallbackMayUseItsContext(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		early := bytesAt(c.Alloc(64), 64)
		scribble(early, 7)
		sum := 0
		use := func() {
			for i := range 100 {
				late := bytesAt(c.Alloc(64), 64)
				scribble(late, i)
				sum += int(late[0])
			}
			if c.Ident() != "named" || c.Stats().Used < 6400 {
				t.Errorf("the context is %q: %+v", c.Ident(), c.Stats())
			}
		}
		c.SetIdent("named")
		c.BeforeReset(func() {
			use()
			if !scribbled(early, 7) {
				t.Error("the callback came too late: the content is gone")
			}
		})
		c.Reset()
		wantEmpty(t, c)
		c.BeforeReset(use)
		c.Delete()
		if sum == 0 {
			t.Error("no callback ran")
		}
		wantOrder(t, mc)
	})
}

func TestACallbackMayCreateChildren(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		var j journal
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		c.Alloc(64)
		c.BeforeReset(func() {
			j = append(j, "c")
			child := palloc.NewAllocSet(c, "child")
			child.Alloc(64)
			child.BeforeReset(func() {
				j = append(j, "child")
				j.on(palloc.NewAllocSet(child, "grandchild"), "grandchild")
			})
		})
		c.Delete()
		j.want(t, "Delete", "c", "child", "grandchild")
		wantLive(t, false, c)
		wantNames(t, "after the deletion", mc.All(), "test")
		wantOrder(t, mc)
	})
}

func TestACallbackMayDeleteOthers(t *testing.T) {
	var j journal
	mc := newRoot(t)
	p := palloc.NewAllocSet(mc, "p")
	var children []palloc.Context
	for i := range 5 {
		c := palloc.NewAllocSet(p, fmt.Sprint("c", i))
		j.on(c, c.Name())
		children = append(children, c)
	}
	children[4].BeforeReset(func() { children[2].Delete() }) // the newest is deleted first
	children[3].BeforeReset(func() { children[1].Delete() })
	p.Delete()
	j.want(t, "Delete", "c2", "c4", "c1", "c3", "c0")
	wantLive(t, false, append(children, p)...)
	wantOrder(t, mc)
}

func TestResetChildrenPassesOverWhatACallbackDeleted(t *testing.T) {
	mc := newRoot(t)
	p := palloc.NewAllocSet(mc, "p")
	left, right := palloc.NewAllocSet(p, "left"), palloc.NewAllocSet(p, "right")
	ran := 0
	deletes := func(other palloc.Context) func() {
		return func() {
			if ran++; ran == 1 { // the other's callback then runs inside this one
				other.Delete()
			}
		}
	}
	left.BeforeReset(deletes(right))
	right.BeforeReset(deletes(left))
	p.ResetChildren()
	if ran != 2 || count(p) != 1 {
		t.Errorf("%d callbacks ran and %d children are left; want 2 and 1", ran, count(p))
	}
	wantOrder(t, mc)
}

// TestResetChildrenPassesOverWhatACallbackMoved moves c away, in a callback that runs before
// its turn.
func TestResetChildrenPassesOverWhatACallbackMoved(t *testing.T) {
	for name, move := range map[string]func(p, b, c, away palloc.Context){
		"alone":           func(_, _, c, away palloc.Context) { c.SetParent(away) },
		"with its parent": func(_, b, _, away palloc.Context) { b.SetParent(away) },
		"behind all":      func(p, _, c, away palloc.Context) { p.SetParent(away); c.SetParent(away) },
	} {
		mc := newRoot(t)
		away := palloc.NewAllocSet(mc, "away")
		p := palloc.NewAllocSet(mc, "p")
		siblings := []palloc.Context{palloc.NewAllocSet(p, "a"), palloc.NewAllocSet(p, "b"), palloc.NewAllocSet(p, "z")}
		b := siblings[1]
		c := palloc.NewAllocSet(b, "c")
		c.Alloc(100)
		ran, wasReset := 0, false
		for _, m := range []palloc.Context{siblings[0], siblings[2]} { // one of them comes before b
			m.BeforeReset(func() {
				if ran++; ran == 1 {
					move(p, b, c, away)
				}
			})
		}
		c.BeforeReset(func() { wasReset = true })
		p.ResetChildren()
		if ran != 2 || wasReset || c.IsEmpty() {
			t.Errorf("moved %s, c is reset; %d other callbacks ran", name, ran)
		}
		wantSound(t, name, mc)
	}
}

func TestACallbackMayMoveItsParentAway(t *testing.T) {
	mc := newRoot(t)
	p, refuge := palloc.NewAllocSet(mc, "p"), palloc.NewAllocSet(mc, "refuge")
	saved := palloc.NewAllocSet(p, "saved")
	kept := bytesAt(saved.Alloc(64), 64)
	scribble(kept, 8)
	child := palloc.NewAllocSet(saved, "child")
	child.BeforeReset(func() { saved.SetParent(refuge) })
	p.Delete()
	wantLive(t, false, p, child)
	wantLive(t, true, mc, refuge, saved)
	if saved.Live() && (!scribbled(kept, 8) || saved.Path() != "Top/test/refuge/saved") {
		t.Errorf("what was saved is now %q", saved.Path())
	}
}

func TestACallbackThatDeletesItsOwnContextIsAFault(t *testing.T) {
	for name, end := range map[string]func(palloc.Context){"Reset": palloc.Context.Reset, "Delete": palloc.Context.Delete} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			c := palloc.NewAllocSet(mc, "c")
			c.Alloc(64)
			c.BeforeReset(c.Delete)
			wantFault(t, func() { end(c) }, "Context", "c", "deleted")
			wantLive(t, false, c)
			wantOrder(t, mc)
		})
	}
}

func TestACallbackMayAskForTheWholeTree(t *testing.T) {
	p, j := newJournal(t)
	asked := 0
	for c := range p.All() {
		c.BeforeReset(func() {
			for other := range p.All() {
				asked += len(other.Path()) + int(other.Stats().Blocks)
			}
			asked += int(p.TreeHeld())
		})
	}
	p.Delete()
	if len(*j) != 8 || asked == 0 {
		t.Errorf("%d callbacks ran and asked for %d", len(*j), asked)
	}
}

func TestACallbackSeesTheContentOfEveryAncestor(t *testing.T) {
	mc := newRoot(t)
	at := mc
	var chunks []unsafe.Pointer
	bad := 0
	for i := range 20 {
		at = palloc.NewAllocSet(at, "c")
		p := at.Alloc(100)
		scribble(bytesAt(p, 100), i)
		chunks = append(chunks, p)
		at.BeforeReset(func() {
			for i, p := range chunks {
				if !scribbled(bytesAt(p, 100), i) {
					bad++
				}
			}
			chunks = chunks[:len(chunks)-1]
		})
	}
	mc.DeleteChildren()
	if bad != 0 || len(chunks) != 0 {
		t.Errorf("%d chunks were gone too early, %d callbacks did not run", bad, len(chunks))
	}
}

func TestOnResetOfNothingIsAFault(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	wantFault(t, func() { c.BeforeReset(nil) }, "Context.BeforeReset", "Top/test/c", "the function is nil")
	c.Reset()
	c.Delete()
}

// TestCallbacksThatGoOnForEverAreAFault has callbacks that register the next one, in every
// way. A reset or deletion ends all the same, and the contexts can then be reset and deleted.
func TestCallbacksThatGoOnForEverAreAFault(t *testing.T) {
	const most = 1000 // as the documentation of BeforeReset says
	for how, arm := range map[string]func(c palloc.Context, run func(), n int){
		"itself":     func(c palloc.Context, run func(), n int) { c.BeforeReset(run) },
		"two others": func(c palloc.Context, run func(), n int) { c.BeforeReset(run); c.BeforeReset(run) },
		"a child":    func(c palloc.Context, run func(), n int) { palloc.NewAllocSet(c, "child").BeforeReset(run) },
		"a Bump's":   func(c palloc.Context, run func(), n int) { palloc.NewBump(c, "child").BeforeReset(run) },
		"by turns": func(c palloc.Context, run func(), n int) {
			if n%2 == 0 {
				c = palloc.NewAllocSet(c, "child")
			}
			c.BeforeReset(run)
		},
	} {
		for name, end := range map[string]func(c palloc.Context){
			"Reset": palloc.Context.Reset, "ResetOnly": palloc.Context.ResetOnly, "Delete": palloc.Context.Delete,
			"DeleteChildren": func(c palloc.Context) { c.Parent().DeleteChildren() },
			"ResetChildren":  func(c palloc.Context) { c.Parent().ResetChildren() },
		} {
			t.Run(how+" "+name, func(t *testing.T) {
				mc := newRoot(t)
				c := palloc.NewAllocSet(palloc.NewAllocSet(mc, "parent"), "c")
				runs, sincere := 0, 0
				c.BeforeReset(func() { sincere++ })
				var run func()
				run = func() { runs++; arm(c, run, runs) }
				c.BeforeReset(run)
				fault := faultOf(t, func() { end(c) })
				if runs > 2*most+2 {
					t.Errorf("it ran %d times", runs)
				}
				if endless := runs > 2; endless != (fault != nil) {
					t.Fatalf("it ran %d times; the Fault is %v", runs, fault)
				}
				if fault != nil && (fault.Op != "Context."+name || !strings.HasPrefix(fault.Context, "Top/test/parent/c") ||
					!strings.Contains(fault.Reason, "go on for ever")) {
					t.Errorf("the Fault is %+v", *fault)
				}
				arm = func(palloc.Context, func(), int) {} // from here on it registers no more
				if c.Live() {
					c.Delete()
				}
				if sincere != 1 {
					t.Errorf("the callback that was there before ran %d times", sincere)
				}
				wantOrder(t, mc)
			})
		}
	}
}

func TestAThousandLateCallbacksAreNoFault(t *testing.T) {
	for _, end := range []func(palloc.Context){palloc.Context.Reset, palloc.Context.Delete} {
		c := palloc.NewAllocSet(newRoot(t), "c")
		ran := 0
		for range 5000 {
			c.BeforeReset(func() { ran++ })
		}
		c.BeforeReset(func() {
			for range 1000 {
				c.BeforeReset(func() { ran++ })
			}
		})
		if end(c); ran != 6000 {
			t.Errorf("%d of 6000 callbacks ran", ran)
		}
	}
}

func TestTheEndOfADroppedContextIsNoCircle(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	runs, sincere := 0, 0
	c.BeforeReset(func() { sincere++ })
	var run func()
	run = func() { runs++; c.BeforeReset(run) }
	c.BeforeReset(run)
	err := palloc.Dropped{Context: c}.Delete()
	var fault *palloc.Fault
	if !errors.As(err, &fault) || fault.Op != "Dropped.Delete" || runs != 1001 || sincere != 1 || c.Live() {
		t.Errorf("it ran %d times, and the sincere one %d times: %v", runs, sincere, err)
	}
	wantOrder(t, mc)
}

// TestAFaultOfACallbackNamesWhatWasCalled has a callback that deletes its context: the Fault
// names the operation that cannot go on.
func TestAFaultOfACallbackNamesWhatWasCalled(t *testing.T) {
	for op, end := range map[string]func(c palloc.Context){
		"Context.Reset": palloc.Context.Reset, "Context.ResetOnly": palloc.Context.ResetOnly, "Context.Delete": palloc.Context.Delete,
	} {
		c := palloc.NewAllocSet(newRoot(t), "c")
		c.BeforeReset(c.Delete)
		if fault := faultOf(t, func() { end(c) }); fault == nil || fault.Op != op {
			t.Errorf("%s: the Fault is %+v", op, fault)
		}
	}
	p := palloc.NewAllocSet(newRoot(t), "p")
	palloc.NewAllocSet(p, "c").BeforeReset(p.Delete)
	if fault := faultOf(t, p.DeleteChildren); fault == nil || fault.Op != "Context.DeleteChildren" {
		t.Errorf("the Fault is %+v", fault)
	}
}

// TestCallbacksStopInAnyOrder stops some of many callbacks: the others run, the latest first.
func TestCallbacksStopInAnyOrder(t *testing.T) {
	const n = 40_000
	c := palloc.NewAllocSet(newRoot(t), "c")
	r := rand.New(rand.NewPCG(1, 8))
	var ran []int
	stops, order := make([]func() bool, n), r.Perm(n)
	for i := range n {
		stops[i] = c.BeforeReset(func() { ran = append(ran, i) })
	}
	stopped := map[int]bool{}
	for k, i := range order[:n/2] {
		if k >= n/4 {
			i = n - 1 - i%1000 // the latest
		}
		if stops[i]() == stopped[i] {
			t.Fatalf("stop of number %d returns the wrong value", i)
		}
		stopped[i] = true
	}
	wantSound(t, "with some stopped", c)
	c.Reset()
	next := n
	for _, i := range ran {
		for next--; stopped[next]; next-- {
		}
		if i != next {
			t.Fatalf("%d ran when %d was to", i, next)
		}
	}
	if len(ran)+len(stopped) != n {
		t.Errorf("%d ran and %d were stopped, of %d", len(ran), len(stopped), n)
	}
	wantSound(t, "afterwards", c)
}
