package tree

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// The lock of the tree, and how long it is held.
//
// It guards the links of all nodes, the names, the side tables and the free nodes. No
// callback and no foreign code runs under it. The page heap's lock is taken inside it,
// never around it.
//
// Invariant: a goroutine that has more than StepsPerHold steps to take releases the lock
// in between, and yields when another one waits. A step is a context that is looked at,
// or as much work.
//
// Cost: that of a sync.Mutex. Maps grow under it, in Go's way: a part at a time.
var lock countedMutex

// StepsPerHold is the number of steps that are taken under one hold of the tree's lock.
const StepsPerHold = 256

// countedMutex is a mutex that counts the goroutines that wait for it, and the steps since
// it was locked.
type countedMutex struct {
	mu      sync.Mutex
	waiting atomic.Int32
	steps   int    // in this hold
	max     int    // in any hold, for tests
	holds   uint64 // how often it was locked
}

// Lock takes the tree's lock.
func Lock() {
	if !lock.mu.TryLock() {
		lock.wait()
	}
	lock.steps = 0
	lock.holds++
}

// wait is separate from Lock because it seldom runs.
func (t *countedMutex) wait() {
	t.waiting.Add(1)
	t.mu.Lock()
	t.waiting.Add(-1)
}

// Unlock releases the tree's lock.
func Unlock() { lock.mu.Unlock() }

// Step counts n steps, and reports whether there is time for more. The tree's lock must
// be held.
func Step(n int) (more bool) {
	lock.steps += n
	lock.max = max(lock.max, lock.steps)
	return lock.steps < StepsPerHold
}

// Pass lets goroutines that wait for the lock go first. It is for the time between two
// holds: a goroutine that runs usually takes an unlocked sync.Mutex again at once, and
// others get it after a millisecond.
func Pass() {
	if lock.waiting.Load() > 0 {
		runtime.Gosched()
	}
}

// MaxSteps returns the maximum number of steps of one hold since it was called last. It is
// for tests.
func MaxSteps() int {
	Lock()
	defer Unlock()
	n := lock.max
	lock.max = 0
	return n
}

// panicUnlocked panics with the error that f returns without the tree's lock. The lock must
// be held, and is held again when deferred functions run.
func panicUnlocked(f func() error) {
	Unlock()
	defer Lock()
	panic(f())
}

// yield releases the lock for a moment, and reports whether another goroutine took it. The
// tree's lock must be held.
func yield() bool {
	before := lock.holds
	Unlock()
	Pass()
	Lock()
	return lock.holds != before+1
}

// Locked is a context under the tree's lock.
type Locked struct{ Ref }

// Lock takes the tree's lock. It panics unless the context is live.
func (mc Ref) Lock(op string) Locked {
	Lock()
	if !mc.Live() {
		Unlock()
		panic(mc.gone(op))
	}
	return Locked{mc}
}

// Unlock releases the tree's lock.
func (Locked) Unlock() { Unlock() }

// LockToEnter works as Lock does, and sets a bit in the node's word Has. The caller then adds an
// entry about the context to a side table. See the package comment for why none is lost.
func (mc Ref) LockToEnter(op string, bit uint32) Locked {
	l := mc.Lock(op)
	s := mc.Node()
	had := s.Has
	atomic.StoreUint32(&s.Has, had|bit)
	if !mc.Live() {
		relaxed.Store32(&s.Has, had)
		Unlock()
		panic(mc.gone(op))
	}
	return l
}
