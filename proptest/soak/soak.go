package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/process"
)

// A soak: workers that do rounds of mixed work, and the clock that takes the samples.
//
// Invariant: samples are taken when every worker holds as much as its limit allows, and all
// wait for each other. So each sample is of the same state, from the first round on.
//
// Cost: that of the work.

const (
	workers = 4
	share   = 64 << 20 // bytes that one worker may hold
	steps   = 4000     // of a worker in a round
)

// A soak is how long to work, and what.
type soak struct {
	long   time.Duration
	seed   uint64
	report func(at time.Duration, resident int64) // is called with each sample; nil for none
}

// A tally counts what was done.
type tally struct {
	rounds, chunks, contexts, pressures, handed atomic.Int64
}

// String returns the counts in a few words.
func (t *tally) String() string {
	return fmt.Sprintf("%d rounds, %d chunks verified, %d contexts deleted, %d of them handed over, %d times under pressure",
		t.rounds.Load(), t.chunks.Load(), t.contexts.Load(), t.handed.Load(), t.pressures.Load())
}

// run works for the time, and returns what it found. The error says why there is no figure.
func (s *soak) run() (*verdict, error) {
	if _, ok := process.ResidentBytes(); !ok {
		return nil, errors.New("this system does not tell what is resident: run it on Linux")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(25)) // Go's heap, which varies, stays small beside the contexts
	v := &verdict{long: s.long, seed: s.seed}
	top := palloc.NewAllocSet(palloc.Top(), "soak")
	f := newFloor(top, v, s.report)
	var group sync.WaitGroup
	for i := range workers {
		w := f.newWorker(rand.New(rand.NewPCG(s.seed, uint64(i))))
		group.Go(w.work)
	}
	s.watch(f)
	f.stop.Store(true)
	group.Wait()
	f.drain()
	v.wrong = errors.Join(f.wrong(), top.Check())
	top.Delete()
	return v, nil
}

// watch waits until the time is over or something is wrong.
func (s *soak) watch(f *floor) {
	clock := time.NewTicker(100 * time.Millisecond)
	defer clock.Stop()
	for now := range clock.C {
		if now.Sub(f.begin) > s.long || f.wrong() != nil {
			return
		}
	}
}

// sample takes a sample if the last one is a second old. All workers wait. What the page heap
// retains for reuse is not counted: it may grow to a sixteenth of what contexts held at most,
// which takes hours.
func (f *floor) sample() bool {
	at := time.Since(f.begin)
	if at-f.sampled < time.Second {
		return false
	}
	f.sampled = at
	resident, ok := process.ResidentBytes()
	if !ok {
		f.fail(errors.New("the system does not tell what is resident any more"))
	}
	retained := palloc.PageHeap().Retained
	f.verdict.add(at, resident-retained, retained)
	if f.report != nil {
		f.report(at, resident)
	}
	return false
}

// A floor is where the workers meet: what they share, and hand to each other.
type floor struct {
	top    palloc.Context
	shared palloc.Context // for chunks that one worker makes and another one frees
	done   *tally
	stop   atomic.Bool
	begin  time.Time
	chunks chan chunk    // of shared
	whole  chan *session // contexts that change their owner
	meet   barrier

	verdict *verdict
	report  func(at time.Duration, resident int64)
	sampled time.Duration // when the last sample was taken

	mutex sync.Mutex
	first error
}

func newFloor(top palloc.Context, v *verdict, report func(time.Duration, int64)) *floor {
	f := &floor{
		top: top, done: &v.done, begin: time.Now(), verdict: v, report: report,
		shared: palloc.NewAllocSet(top, "shared", palloc.Shared()),
		chunks: make(chan chunk, 512), whole: make(chan *session, 64),
	}
	f.meet.all.L = &f.meet.mutex
	return f
}

// fail records that something is wrong.
func (f *floor) fail(err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.first == nil {
		f.first = err
	}
}

// wrong returns the first thing that was found wrong, nil for none.
func (f *floor) wrong() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.first
}

// drain takes back what is under way between workers. All of them have ended.
func (f *floor) drain() {
	close(f.chunks)
	close(f.whole)
	for c := range f.chunks {
		f.verify(c)
		palloc.FreeSlice(c.bytes)
	}
	for s := range f.whole {
		s.end(f)
	}
}

// verify checks the content of a chunk.
func (f *floor) verify(c chunk) {
	f.done.chunks.Add(1)
	if at := c.differs(); at >= 0 {
		f.fail(fmt.Errorf("byte %d of a chunk of %d has changed", at, len(c.bytes)))
	}
}
