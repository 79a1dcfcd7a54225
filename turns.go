package palloc

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// The lock of the tree, and how long it may be held.
//
// Invariant: whoever has more to do than perHold steps lets go of the lock in between,
// and of the processor when somebody waits for it. A step is a context that is looked
// at, or as much work.
//
// Cost: that of a sync.Mutex.

// perHold is how many steps are made under one hold of the tree's lock.
const perHold = 256

// turns is a mutex that knows whether somebody waits for it, and how many steps were
// made since it was locked.
type turns struct {
	mu      sync.Mutex
	waiting atomic.Int32
	steps   int    // in this hold
	most    int    // in any hold, for tests
	holds   uint64 // how many there were
}

// Lock locks it.
func (t *turns) Lock() {
	if !t.mu.TryLock() {
		t.wait()
	}
	t.steps = 0
	t.holds++
}

// wait is apart from Lock because it seldom happens.
func (t *turns) wait() {
	t.waiting.Add(1)
	t.mu.Lock()
	t.waiting.Add(-1)
}

// Unlock lets go of it.
func (t *turns) Unlock() { t.mu.Unlock() }

// step counts n steps, and reports whether there is time for more of them. The lock
// must be held.
func (t *turns) step(n int) (more bool) {
	t.steps += n
	t.most = max(t.most, t.steps)
	return t.steps < perHold
}

// pass lets those go first who wait for the lock, which must not be held: it is for
// between two holds. An unlocked sync.Mutex is as a rule taken by whoever is running,
// and others get it after a millisecond.
func (t *turns) pass() {
	if t.waiting.Load() > 0 {
		runtime.Gosched()
	}
}
