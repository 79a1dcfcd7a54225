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
// Invariant: every worker holds as much as its limit allows at the end of each round, when
// all wait for each other. So what is resident has its highest value once a round, from the
// first round on.
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
	f := newFloor(top, &v.done)
	var group sync.WaitGroup
	for i := range workers {
		w := f.newWorker(rand.New(rand.NewPCG(s.seed, uint64(i))))
		group.Go(w.work)
	}
	s.watch(v, f)
	f.stop.Store(true)
	group.Wait()
	f.drain()
	v.wrong = errors.Join(f.wrong(), top.Check())
	top.Delete()
	return v, nil
}

// watch takes a sample each second until the time is over or something is wrong.
func (s *soak) watch(v *verdict, f *floor) {
	begin := time.Now()
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for range clock.C {
		at := time.Since(begin)
		resident, ok := process.ResidentBytes()
		if !ok || at > s.long || f.wrong() != nil {
			return
		}
		v.add(at, resident)
		if s.report != nil {
			s.report(at, resident)
		}
	}
}

// A floor is where the workers meet: what they share, and hand to each other.
type floor struct {
	top    palloc.Context
	shared palloc.Context // for chunks that one worker makes and another one frees
	done   *tally
	stop   atomic.Bool
	chunks chan chunk    // of shared
	whole  chan *session // contexts that change their owner
	meet   barrier

	mutex sync.Mutex
	first error
}

func newFloor(top palloc.Context, done *tally) *floor {
	f := &floor{
		top: top, done: done,
		shared: palloc.NewAllocSet(top, "shared", palloc.Shared()),
		chunks: make(chan chunk, 512), whole: make(chan *session, 64),
	}
	f.meet.ends = f.stop.Load
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
