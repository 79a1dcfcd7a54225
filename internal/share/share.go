// Package share divides one total of memory between Go's heap and the page heap.
package share

import (
	"errors"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/cgroup"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Who rebalances, and when: a goroutine after each of Go's collections and from time to
// time, and a goroutine whose context grows beyond what was granted. How it is done is
// in balance.go.
//
// Invariant: at most one share at a time. A goroutine that waits for its lock holds no
// lock of the tree or the page heap: the one that has it may trim, and run Go's
// collector.
//
// Cost: none while no share is in force. A rebalance takes some microseconds; where Go's
// garbage is in the way, a collection.

// MinTotal is the smallest total in bytes: what a program of Go alone can be kept in.
const MinTotal = 16 << 20

// The share is rebalanced every minWait while memory is short and the sum changes;
// otherwise the interval doubles up to maxWait.
const (
	minWait = 10 * time.Millisecond
	maxWait = 100 * time.Millisecond
)

// Figures are what contexts have, in bytes.
type Figures struct {
	Resident int64 // the most that can be resident
	Retained int64 // of it, free pages
	Fixed    int64 // of it, what contexts never acquire: it has no grant
}

// PageHeap is where contexts have their memory.
type PageHeap struct {
	Figures func() Figures // called by any goroutine, which may hold the tree's lock
	Trim    func()         // gives all free memory back to the system; called without a lock
}

// sharing is the share in force, nil for none.
var sharing atomic.Pointer[share]

// share is a total that Go and contexts have together. mu guards the fields below it.
type share struct {
	heap  PageHeap
	total int64
	room  int64 // of it, for what is counted
	step  int64 // what contexts are granted at a time

	before    int64 // Go's limit before the share
	quit      chan struct{}
	done      chan struct{}
	collected chan struct{} // one of Go's collections has ended

	mu      sync.Mutex
	ended   bool
	limit   int64 // Go's limit as it was set last
	granted int64 // bytes that contexts may have resident without a rebalance

	lowered  time.Time     // when Go's limit was, last
	trimmed  time.Time     // when the page heap was, last
	forced   time.Time     // when a forced collection last ended
	forceGap time.Duration // from then to the next one, at least
}

// Begin divides total bytes, at least MinTotal, between Go's heap and the page heap. stop
// ends that and restores Go's limit; it may be called more than once. ok is false, and
// nothing was done, where a share is in force. Any goroutine.
func Begin(total int64, heap PageHeap) (stop func(), ok bool) {
	const maxSlack, minStep, maxStep = 128 << 20, 1 << 20, 64 << 20
	s := &share{
		heap:  heap,
		total: total,
		room:  total - min(total/16, maxSlack),
		step:  min(max(total/32, minStep), maxStep),
		quit:  make(chan struct{}), done: make(chan struct{}), collected: make(chan struct{}, 1),
	}
	if !sharing.CompareAndSwap(nil, s) {
		return nil, false
	}
	s.begin()
	return sync.OnceFunc(s.end), true
}

// Known returns the limit in bytes that was set for the process from outside, at least
// MinTotal: Go's memory limit, or else what the control groups of Linux grant.
func Known() (int64, error) {
	if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
		return max(set, MinTotal), nil
	}
	if runtime.GOOS != "linux" {
		return 0, errors.New("GOMEMLIMIT is not set, and containers' limits are known on Linux only")
	}
	granted, ok := cgroup.Limit(os.DirFS("/"))
	if !ok {
		return 0, errors.New("GOMEMLIMIT is not set, and no control group limits the memory")
	}
	return max(granted, MinTotal), nil
}

// begin sets Go's limit and starts to watch.
func (s *share) begin() {
	s.before = debug.SetMemoryLimit(-1)
	s.limit = s.before
	if osmem.Current().DiscardFrees() {
		block.OnExcess(s.rebalance, s.tryRebalance)
	}
	s.rebalance()
	s.awaitCollection()
	go s.watch()
}

// end stops watching and restores Go's limit.
func (s *share) end() {
	close(s.quit)
	<-s.done
	block.OnExcess(nil, nil)
	s.mu.Lock()
	s.ended = true
	debug.SetMemoryLimit(s.before)
	s.mu.Unlock()
	sharing.Store(nil)
}

// rebalance balances once. A context that has just acquired a block waits for it.
func (s *share) rebalance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended { // the caller may have waited for the end
		s.balance()
	}
}

// tryRebalance does what needs no lock but the page heap's, unless another goroutine is
// rebalancing: the caller, which has released a block, may hold the tree's lock, for
// which that one may be waiting.
func (s *share) tryRebalance() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if !s.ended {
		s.follow(s.measure())
	}
}

// watch rebalances after each of Go's collections, and from time to time.
func (s *share) watch() {
	defer close(s.done)
	last, wait := int64(0), minWait
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-s.collected:
		case <-timer.C:
		}
		s.rebalance()
		sum := s.measure().sum()
		if wait = min(2*wait, maxWait); sum > s.total/4*3 && max(sum-last, last-sum) > s.step/4 {
			wait = minWait
		}
		last = sum
		timer.Reset(wait)
	}
}

// awaitCollection leaves an unreachable object for the next collection to find.
func (s *share) awaitCollection() {
	type beacon struct{ _ *beacon } // a pointer: it shares its memory with no other object
	runtime.AddCleanup(new(beacon), (*share).found, s)
}

// found reports to watch that a collection has ended.
func (s *share) found() {
	select {
	case <-s.done:
		return
	case s.collected <- struct{}{}:
	default: // watch has not taken the last report yet
	}
	s.awaitCollection()
}
