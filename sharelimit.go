package palloc

import (
	"errors"
	"fmt"
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

// One limit for the memory of Go and that of contexts: who watches, and when. What is
// done then is in balance.go.
//
// Invariant: at most one share at a time. Nobody who waits for its lock holds one of
// palloc's: whoever has it may trim, and ask Go's collector.
//
// Cost: none while nobody asked for it. A balance takes some microseconds; one that
// Go's garbage is in the way of, a collection.
var sharing atomic.Pointer[share]

// leastTotal is what a program of Go alone can be kept in.
const leastTotal = 16 << 20

// The balance is looked at every watchQuick while memory is short and comes and goes;
// otherwise the interval doubles up to watchSlow.
const (
	watchQuick = 10 * time.Millisecond
	watchSlow  = 100 * time.Millisecond
)

// ShareMemoryLimit keeps Go's memory and that of contexts below one total, in bytes:
// GOMEMLIMIT alone does not count contexts. It sets Go's memory limit to what
// Warehouse().Resident leaves of fifteen sixteenths of the total; the last sixteenth,
// or 128 MiB if that is less, is for what neither counts, as the program itself, and
// for delays. A total of 0 is Go's memory limit as it stands, or, where that is not
// set, what the control groups of Linux grant the process; where they grant no
// certain amount either, that is an error, the only one. It is taken for 16 MiB where
// it is less.
//
// Contexts that grow are held up: a purchase that would make a 32nd of the total
// resident beyond what was last agreed, or 64 MiB if that is less, waits until Go's
// limit is lowered and, where Go's heap has more than that, unused memory of the
// warehouse and then Go's garbage are given back. The latter is a
// debug.FreeOSMemory; it is repeated at most for a fifth of the time once it found
// little. Where Go's heap grows, the warehouse gives back what is unused for as much
// as half of Go's live heap on top of it: as each of Go's collections ends, and every
// 10 ms while less than a quarter of the total is free and the sum changes, else every
// 100 ms. Go's limit rises with the same delay, and not before 100 ms after it was
// lowered unless Go wants more; it is up to an eighth of the total lower as long as the
// warehouse retains that, so that Go collects, and gets that, in time. The cores of
// contexts count, each with its freelists, but nobody is held up for them.
//
// Nothing is refused: where contexts and Go's live heap need more than the total, they
// get it. Go's limit is never set below an eighth, or 4 MiB, more than the last
// collection found alive, since the collector would do nothing else any more. SetLimit
// of Top refuses what contexts need.
//
// Where contexts lie on Go's heap (the race detector, WebAssembly) they are under Go's
// limit anyway. Others are not to set Go's limit meanwhile. stop sets it to what it was
// before; it may be called more than once. A second ShareMemoryLimit before that is
// a Fault, as is a total that is negative or from 1 byte to 16 MiB. Any goroutine.
//
// PostgreSQL has none.
func ShareMemoryLimit(total int64) (stop func(), err error) {
	if total < 0 || total > 0 && total < leastTotal {
		panic(&Fault{Op: "ShareMemoryLimit", Reason: fmt.Sprintf("a total of %d bytes: it is 0, or at least %d", total, leastTotal)})
	}
	if total == 0 {
		if total, err = knownTotal(); err != nil {
			return nil, err
		}
	}
	s := newShare(total)
	if !sharing.CompareAndSwap(nil, s) {
		panic(&Fault{Op: "ShareMemoryLimit", Reason: "a limit is shared already: stop that first"})
	}
	s.begin()
	return sync.OnceFunc(s.end), nil
}

// knownTotal is the limit that somebody set for the process.
func knownTotal() (int64, error) {
	if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
		return max(set, leastTotal), nil
	}
	if runtime.GOOS == "linux" {
		if granted, ok := cgroup.Limit(os.DirFS("/")); ok {
			return max(granted, leastTotal), nil
		}
		return 0, errors.New("palloc: ShareMemoryLimit(0): GOMEMLIMIT is not set, and no control group limits the memory: give a total")
	}
	return 0, errors.New("palloc: ShareMemoryLimit(0): GOMEMLIMIT is not set, and containers' limits are known on Linux only: give a total")
}

// begin sets Go's limit and starts to watch.
func (s *share) begin() {
	s.before = debug.SetMemoryLimit(-1)
	s.limit = s.before
	if osmem.Current().DiscardFrees() {
		block.OnExcess(s.adjust, s.yield)
	}
	s.adjust()
	s.awaitCollection()
	go s.watch()
}

// end stops watching and gives the old limit back.
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

// adjust balances once. It is what a purchase waits for.
func (s *share) adjust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended { // a purchase may have waited for the end
		s.balance()
	}
}

// yield balances what needs no lock but the warehouse's: whoever sells may hold the
// tree's, for which somebody who is balancing may be waiting.
func (s *share) yield() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if !s.ended {
		s.settle(s.measure())
	}
}

// watch balances whenever a collection has ended, and from time to time.
func (s *share) watch() {
	defer close(s.done)
	last, wait := int64(0), watchQuick
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-s.collected:
		case <-timer.C:
		}
		s.adjust()
		sum := s.measure().sum()
		if wait = min(2*wait, watchSlow); sum > s.total/4*3 && max(sum-last, last-sum) > s.step/4 {
			wait = watchQuick
		}
		last = sum
		timer.Reset(wait)
	}
}

// awaitCollection leaves something unused for the next collection to find.
func (s *share) awaitCollection() {
	type beacon struct{ _ *beacon } // a pointer: it shares its memory with no other object
	runtime.AddCleanup(new(beacon), (*share).found, s)
}

// found says that a collection has ended.
func (s *share) found() {
	select {
	case <-s.done:
		return
	case s.collected <- struct{}{}:
	default: // the last one was not looked at yet
	}
	s.awaitCollection()
}
