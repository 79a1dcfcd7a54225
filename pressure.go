package palloc

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Pressure: callbacks that free memory before a budget refuses.
//
// Invariant: callbacks run with no lock held and no kind at work, between two
// attempts of the same allocation; one that is running is not run again meanwhile. A
// callback is listed with each account around its context.
//
// Cost: a callback is a few words on Go's heap, and a place in the list of each account
// around it. Nothing else until a budget is short.

// Pressure says what is asked of a callback of OnPressure.
//
// PostgreSQL has none.
type Pressure struct {
	// Need is how many bytes the callback should free: those that are missing, and at
	// least a 64th of what its context and all below it hold, so that it is not asked for
	// each allocation. If another context allocates, only whole blocks count, as
	// MemAllocated does: so a callback that frees single chunks of 8 KiB or less calls
	// Compact before it returns. If that frees no whole block the callback is asked again,
	// for twice as much each time, until a block is free, it returns an error, or it was
	// asked for all that it holds.
	Need int64

	Missing int64   // bytes that are missing below the limit, for all who wait
	Held    int64   // bytes that the callback's context and all below it hold, the first 256 contexts of them
	Asker   Context // the context that is allocating: read its Path and Ident, and leave it alone
	Limit   Context // the context whose limit is reached
	Soft    bool    // that is its soft limit: what is not freed is allowed nevertheless
}

// listener is a callback of OnPressure. It is a Go value and lives in a side table
// on Go's heap.
type listener struct {
	owner Context
	free  func(Pressure) error
	owned bool    // it runs only where its context is allocated from
	place callers // that registered it

	// The lock of budgets guards the rest.
	gone bool
	by   *routine      // that runs it, nil none
	done chan struct{} // closed when that is over
	left *posting      // what its owner is asked, nil nothing
}

// OnPressure registers a function to be asked when a budget that the context is
// under is short: when its soft limit is passed, and before its limit refuses. The
// function frees what it can, by freeing chunks, resetting or deleting contexts, or
// spilling. What that gave back is counted, not believed: the allocation is tried
// again. The callbacks are asked again as long as one of them gave blocks back, made
// more free in the context that allocates, or called Compact: see Pressure.Need. Of
// several the one whose context holds most is asked first. An error says why little could
// be freed; it and a panic, which is contained, become part of the *OutOfMemoryError if
// there is one.
//
// The function runs in the goroutine that allocates. That need not be the owner of this
// context: what another goroutine uses is freed by a function of OnPressureOwned. It must
// not reset or delete the context that allocates (Pressure.Asker), which makes the
// allocation panic with a *Fault. It may allocate: that may have the other functions
// asked, though not this one, and an allocation in one of those has none asked.
//
// Others who reach the same limit meanwhile wait until the function returns, up to 10
// seconds. So it must not wait for whoever may be allocating below that limit, nor for a
// lock that such a goroutine holds. A cache that goroutines share therefore lies in a
// Shared context, and is not locked while memory for it is allocated: then the function
// may lock it. Where that cannot be, it uses sync.Mutex.TryLock and returns an error if
// that fails, which may refuse an allocation though the cache is full; and it finds the
// lock held by its own goroutine when Asker is the context of the cache.
//
// stop takes the function away and says whether it was still there; the end of the
// context does so, too. If it runs at this moment it runs to its end. It is a Fault when
// free is nil. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) OnPressure(free func(p Pressure) error) (stop func() bool) {
	return mc.listen("Context.OnPressure", &listener{owner: mc, free: free})
}

// OnPressureOwned is OnPressure for a function that uses what only the owner of the
// context may use: this context, and all below it that are not Shared, belong to one
// goroutine, as a shard does. Where that allocates itself, the function runs as one of
// OnPressure. Where another goroutine reaches the limit, the request is left with the
// owner, who answers it when an allocation from one of these contexts next needs more
// than its block has, while one waits, or with AnswerPressure. Who asked waits up to
// 100 milliseconds, counted from when the request was left, for the owner to begin, and
// else goes on to the next; a function that has begun is waited for as one of OnPressure
// is. An owner that may be away for longer calls AnswerPressure in between. It is a
// Fault when the context is Shared. Any goroutine, at a time when the owner is not about
// to hand the context on.
//
// PostgreSQL has none.
func (mc Context) OnPressureOwned(free func(p Pressure) error) (stop func() bool) {
	const op = "Context.OnPressureOwned"
	mc.check(op)
	if kind.KindOf(mc.epoch).IsConcurrent() {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "a Shared context has no owner: use OnPressure"})
	}
	return mc.listen(op, &listener{owner: mc, free: free, owned: true})
}

func (mc Context) listen(op string, l *listener) (stop func() bool) {
	if mc.check(op); l.free == nil {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "the function is nil"})
	}
	runtime.Callers(2, l.place[:])
	defer mc.lockToEnter(op, hasListeners).unlock()
	if tree.listeners == nil {
		tree.listeners = make(map[uint32][]*listener)
	}
	n := mc.core.Number()
	tree.listeners[n] = append(tree.listeners[n], l)
	budgets.Lock()
	defer budgets.Unlock()
	for a := mc.slot().innermost(); a != nil; a = a.outer {
		a.listeners.add(l)
	}
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
	mc.slot().unlist(l)
	if tree.listeners[mc.core.Number()] = slices.Delete(list, i, i+1); len(list) == 1 {
		mc.slot().forgetListeners()
	}
	return true
}

// forgetListeners takes all of them off. The tree's lock must be held.
func (s *core) forgetListeners() {
	if s.Has&hasListeners != 0 {
		s.unlist(tree.listeners[s.Number()]...)
		delete(tree.listeners, s.Number())
		relaxed.Store32(&s.Has, s.Has&^hasListeners)
	}
}

// unlist takes listeners of the context off the lists of the accounts around it.
func (s *core) unlist(list ...*listener) {
	budgets.Lock()
	defer budgets.Unlock()
	for _, l := range list {
		for a := s.innermost(); a != nil; a = a.outer {
			a.listeners.remove(l)
		}
		l.gone = true
		l.answered(outcome{})
	}
}

// refile lists listeners with the account to and all around it, instead of with from and
// all around that. Both locks, the tree's and the budgets', must be held.
func refile(list []*listener, from, to *account) {
	for _, l := range list {
		for a := from; a != nil; a = a.outer {
			a.listeners.remove(l)
		}
		for a := to; a != nil; a = a.outer {
			a.listeners.add(l)
		}
	}
}

// listenerSet is a list from which any one is taken in constant time.
type listenerSet struct {
	changes uint64
	list    []*listener
	at      map[*listener]int
}

func (s *listenerSet) add(l *listener) {
	if s.at == nil {
		s.at = make(map[*listener]int)
	}
	s.changes++
	s.at[l] = len(s.list)
	s.list = append(s.list, l)
}

func (s *listenerSet) remove(l *listener) {
	i, there := s.at[l]
	if !there {
		return
	}
	s.changes++
	last := s.list[len(s.list)-1]
	s.list[i], s.at[last] = last, i
	s.list[len(s.list)-1] = nil
	s.list = s.list[:len(s.list)-1]
	delete(s.at, l)
}

// begin makes the goroutine the one that runs the listener, and says whether it may
// run. Where another one runs it, busy is closed when that is over.
func (l *listener) begin(by *routine) (runs bool, busy chan struct{}) {
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case l.by != nil:
		return false, l.done
	case l.gone || !l.owner.Live():
		return false, nil
	}
	l.by, l.done = by, make(chan struct{})
	return true, nil
}

// running says whether the listener runs at this moment.
func (l *listener) running() bool {
	budgets.Lock()
	defer budgets.Unlock()
	return l.by != nil
}

// run runs a listener that has begun, and contains its panic.
func (l *listener) run(by *routine, p Pressure) (o outcome) {
	before := compactions.Load()
	defer func() {
		if r := recover(); r != nil {
			o.err = panicked(r)
		}
		o.compacted = compactions.Load() != before
		l.finish(o)
	}()
	by.inside(p.Limit, func() { o.err = l.free(p) })
	return o
}

// outcome is what came of a callback, but for what it gave back.
type outcome struct {
	err       error // that it returned, or what it panicked with
	compacted bool  // somebody called Compact while it ran
}

// finish ends what begin began.
func (l *listener) finish(o outcome) {
	budgets.Lock()
	defer budgets.Unlock()
	l.answered(o)
	l.by = nil
	close(l.done)
}

// panicked is the error of a callback that panicked.
func panicked(r any) error {
	if err, ok := r.(error); ok {
		return fmt.Errorf("the callback panicked: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("the callback panicked: %v\n%s", r, debug.Stack())
}

// holder is the goroutine that runs the listener.
func (l *listener) holder() *routine { return l.by }

// mostCounted is how many contexts are looked at to see what a callback's context and
// all below it hold.
const mostCounted = 256

// weight is about what the listener's context and all below it hold.
func (l *listener) weight() (sum int64) {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return 0
	}
	sum, _ = l.owner.slot().holdings(mostCounted)
	return sum
}

// holdings is what the core and all below it hold, and how many steps of at most so
// many were taken. One with an account is one step. The tree's lock must be held.
func (s *core) holdings(most int) (sum int64, steps int) {
	for t := s; t != nil && steps < most; steps++ {
		if a := t.account(); a != nil {
			sum += a.held.Load()
			t = t.beside(s)
			continue
		}
		sum += int64(relaxed.Load(&t.Total))
		t = t.step(s)
	}
	return sum, steps
}

// beside is step without those below s.
func (s *core) beside(top *core) *core {
	for s != top {
		if s.nextSibling != 0 {
			return coreAt(s.nextSibling)
		}
		s = coreAt(s.parent)
	}
	return nil
}
