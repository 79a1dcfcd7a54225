package palloc

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Pressure: consumers of memory that can free some are asked before a budget
// refuses.
//
// Invariant: callbacks run with no lock held and no kind at work, between two
// attempts of the same allocation; one that is running is not run again.
//
// Cost: nothing until a budget is short; then a step for each callback, for each
// context between it and the budget's, and, unless it has a budget of its own, for each
// context below it.

// listener is a callback of OnPressure. It is a Go value and lives in a side table
// on Go's heap.
type listener struct {
	owner   Context
	free    func(need int64) (freed int64)
	running bool
}

// OnPressure registers a function to be asked when a budget that the context is
// under is short: when its soft limit would be passed, and before its limit
// refuses. need is how many bytes are missing; the function frees what it can, by
// freeing chunks, resetting or deleting contexts, or spilling, and answers how many
// bytes it believes that were. Of several the one whose context holds most is asked
// first, until enough is free. It runs in the goroutine that allocates, which need
// not be the owner of this context: it must not touch what another goroutine uses,
// nor reset or delete the context that allocates. It may allocate. Its panic is
// contained: it counts as having freed nothing, and is in the *OutOfMemoryError if
// there is one. stop takes the function away and says whether it was still there;
// the end of the context does so, too. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) OnPressure(free func(need int64) (freed int64)) (stop func() bool) {
	defer mc.lockToEnter("Context.OnPressure", hasListeners).unlock()
	if tree.listeners == nil {
		tree.listeners = make(map[uint32][]*listener)
	}
	n, l := mc.core.Number(), &listener{owner: mc, free: free}
	tree.listeners[n] = append(tree.listeners[n], l)
	return func() bool { return mc.deafen(l) }
}

// deafen takes a listener off the list of a context that may be gone.
func (mc Context) deafen(l *listener) bool {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return false
	}
	list := tree.listeners[mc.core.Number()]
	i := slices.Index(list, l)
	if i < 0 {
		return false
	}
	if tree.listeners[mc.core.Number()] = slices.Delete(list, i, i+1); len(list) == 1 {
		mc.slot().forgetListeners()
	}
	return true
}

// forgetListeners takes all of them off. The tree's lock must be held.
func (s *core) forgetListeners() {
	if s.Has&hasListeners != 0 {
		delete(tree.listeners, s.Number())
		relaxed.Store32(&s.Has, s.Has&^hasListeners)
	}
}

// supply sells a chunk of a context of any kind; when a budget is short it asks for
// relief and tries once more.
func supply(c *kind.Core, op string, size uintptr) (uintptr, error) {
	p, err := methods[c.Kind()].Alloc(c, size)
	if err == nil {
		return p, nil
	}
	if err = relieve(c, op, err); err != nil {
		return 0, err
	}
	defer relax(c)
	return methods[c.Kind()].Alloc(c, size)
}

// pressing is supply for whatever else may buy. Each chunk of a shared context comes by
// supply, which therefore makes no closure.
func pressing(c *kind.Core, op string, try func() (uintptr, error)) (uintptr, error) {
	p, err := try()
	if err == nil {
		return p, nil
	}
	if err = relieve(c, op, err); err != nil {
		return 0, err
	}
	defer relax(c)
	return try()
}

// relieve asks the listeners of a budget that refused the context something. It
// answers nil when the attempt is worth another: relax is to follow that.
func relieve(c *kind.Core, op string, err error) error {
	r, ok := err.(*shortage)
	if !ok {
		return err
	}
	c = c.Payer()
	epoch, stamp := c.Epoch, c.Stamp
	asked, panicked := r.ask()
	if c.Epoch != epoch || c.Stamp != stamp {
		panic(&Fault{Op: op, Reason: "a callback of OnPressure reset or deleted the context that was allocating"})
	}
	if !asked && !r.soft {
		return err
	}
	budgets.Lock()
	defer budgets.Unlock()
	l := budgets.ledgers.at(c.Number())
	l.pressed++
	l.panicked = cmp.Or(panicked, l.panicked)
	return nil
}

// relax ends what relieve began.
func relax(c *kind.Core) {
	budgets.Lock()
	defer budgets.Unlock()
	l := budgets.ledgers.at(c.Payer().Number())
	if l.pressed = max(l.pressed-1, 0); l.pressed == 0 { // none is left of one that moved to another budget
		l.panicked = nil
	}
}

// ask runs listeners until the budget has room. It says whether any was run, and
// what the first panic was.
func (r *shortage) ask() (asked bool, panicked error) {
	for _, l := range r.listeners() {
		short := r.account.held.Load() + r.more - r.bound
		if short <= 0 {
			return asked, panicked
		}
		ran, err := l.run(short)
		asked = asked || ran
		panicked = cmp.Or(panicked, err)
	}
	return asked, panicked
}

// listeners are those in the budget's subtree, the largest consumer first.
func (r *shortage) listeners() (list []*listener) {
	tree.Lock()
	defer tree.Unlock()
	held := map[*listener]int64{}
	for _, of := range tree.listeners {
		if !of[0].owner.Live() || !of[0].owner.slot().within(r.account.owner.slot()) {
			continue
		}
		for _, l := range of {
			held[l] = l.owner.held()
			list = append(list, l)
		}
	}
	slices.SortStableFunc(list, func(a, b *listener) int {
		return cmp.Or(cmp.Compare(held[b], held[a]), cmp.Compare(a.owner.core.Number(), b.owner.core.Number()))
	})
	return list
}

// within says whether the context is top or lies below it. The tree's lock must be
// held.
func (s *core) within(top *core) bool {
	for s != top && s.parent != 0 {
		s = coreAt(s.parent)
	}
	return s == top
}

// run runs a listener unless it is running or gone, and contains its panic.
func (l *listener) run(need int64) (ran bool, panicked error) {
	tree.Lock()
	if ran = !l.running && l.owner.Live() && slices.Contains(tree.listeners[l.owner.core.Number()], l); ran {
		l.running = true
	}
	tree.Unlock()
	if !ran {
		return false, nil
	}
	defer func() {
		if r := recover(); r != nil {
			panicked = fmt.Errorf("a callback of OnPressure panicked: %v\n%s", r, debug.Stack())
		}
		tree.Lock()
		l.running = false
		tree.Unlock()
	}()
	l.free(need)
	return true, nil
}
