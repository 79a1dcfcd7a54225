package proptest_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Many goroutines at once, after mimalloc's test-stress: sizes are powers of two, a part of
// what one goroutine makes is freed by others, and all contexts end with each round.
//
// Invariant: what lies in a slot belongs to no goroutine. The goroutine that takes it out owns it.
//
// Cost: it works for the time that it is given.

const (
	stressors     = 16
	slots         = 1000
	stressItems   = 25 // scale of the objects that a goroutine makes in a round
	itemShift     = 7  // an object has up to 1<<(itemShift-1) items, and few have many more
	contextsEvery = 16 // one exchange in so many is of a whole context
)

// A parcel is an object, or a context with objects, that goroutines hand to each other.
type parcel struct {
	items []uint64
	mc    palloc.Context // of its own, and the items in it; the zero Context for none
}

// A stress is a round: what its goroutines share.
type stress struct {
	t        *testing.T
	root     palloc.Context
	shared   palloc.Context
	slots    [slots]atomic.Pointer[parcel]
	verified atomic.Int64
	handed   atomic.Int64 // objects that another goroutine freed, or had before
	whole    atomic.Int64 // contexts of which that is true
	cookie   uint64
}

// A stressor is a goroutine of a round.
type stressor struct {
	*stress
	r     *rand.Rand
	own   [3]palloc.Context // an AllocSet, a Generation and a Bump
	held  []*parcel
	local [3][][]uint64 // objects in own
}

// fill writes the content of an object, from which its length and its place follow.
func (s *stress) fill(items []uint64) {
	for i := range items {
		items[i] = uint64(len(items)-i) ^ s.cookie
	}
}

// verify compares the content of an object.
func (s *stress) verify(items []uint64) {
	for i, v := range items {
		if v != uint64(len(items)-i)^s.cookie {
			s.t.Errorf("item %d of %d is %#x", i, len(items), v)
			return
		}
	}
	s.verified.Add(1)
}

// count draws the number of items of an object.
func (s *stressor) count() int {
	n := 1 << s.r.IntN(itemShift)
	if s.r.IntN(100) == 0 {
		switch s.r.IntN(100) {
		case 0:
			return n * 1000
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			return n * 100
		}
		return n * 10
	}
	return n
}

// make returns an object in a context.
func (s *stressor) make(mc palloc.Context) []uint64 {
	n := s.count()
	items := palloc.MakeSlice[uint64](mc, n, n)
	for i, v := range items {
		if v != 0 {
			s.t.Errorf("item %d of %d is %#x, and should be zero", i, n, v)
		}
	}
	s.fill(items)
	return items
}

// parcel returns a new object of the shared context, or a new context.
func (s *stressor) parcel() *parcel {
	if s.r.IntN(contextsEvery) > 0 {
		return &parcel{items: s.make(s.shared)}
	}
	mc := newContext(sort(s.r.IntN(int(slab))), s.root, "whole", 0)
	return &parcel{items: s.make(mc), mc: mc}
}

// free verifies an object, and frees it or deletes its context.
func (s *stress) free(p *parcel) {
	s.verify(p.items)
	if p.mc == (palloc.Context{}) {
		palloc.FreeSlice(p.items)
		return
	}
	p.mc.Delete()
}

// exchange puts a parcel of the goroutine into a slot, and takes what is there.
func (s *stressor) exchange() {
	i := s.r.IntN(len(s.held))
	other := s.slots[s.r.IntN(slots)].Swap(s.held[i])
	if other == nil {
		s.held[i] = s.held[len(s.held)-1]
		s.held = s.held[:len(s.held)-1]
		return
	}
	s.held[i] = other
	s.handed.Add(1)
	if other.mc != (palloc.Context{}) {
		s.whole.Add(1)
		s.verify(other.items)
		other.items = s.make(other.mc) // the older object ends with the context
		other.mc.SetParent(s.own[s.r.IntN(2)])
		other.mc.SetParent(s.root)
	}
}

// work does what one goroutine does in a round.
func (s *stressor) work(amount int) {
	for range amount {
		switch n := s.r.IntN(10); {
		case n < 3:
			s.held = append(s.held, s.parcel())
		case n < 6:
			k := s.r.IntN(len(s.own))
			s.local[k] = append(s.local[k], s.make(s.own[k]))
		case n < 8:
			s.freeLocal()
		case len(s.held) > 0 && s.r.IntN(2) == 0:
			s.exchange()
		case len(s.held) > 0:
			i := s.r.IntN(len(s.held))
			s.free(s.held[i])
			s.held[i] = s.held[len(s.held)-1]
			s.held = s.held[:len(s.held)-1]
		}
	}
	s.end()
}

// freeLocal frees an object of the goroutine's own contexts.
func (s *stressor) freeLocal() {
	k := s.r.IntN(len(s.own))
	if len(s.local[k]) == 0 {
		return
	}
	i := s.r.IntN(len(s.local[k]))
	s.verify(s.local[k][i])
	if s.own[k].Kind().Frees() {
		palloc.FreeSlice(s.local[k][i])
	}
	last := len(s.local[k]) - 1
	s.local[k][i] = s.local[k][last]
	s.local[k] = s.local[k][:last]
}

// end verifies all that the goroutine holds, and deletes its contexts.
func (s *stressor) end() {
	for _, p := range s.held {
		s.free(p)
	}
	for k, mc := range s.own {
		for _, items := range s.local[k] {
			s.verify(items)
		}
		if err := mc.Check(); err != nil {
			s.t.Error(err)
		}
		mc.Delete()
	}
}

// round runs all goroutines once, in contexts that end with it.
func (s *stress) round(seed uint64) {
	s.cookie = seed*0x9e3779b97f4a7c15 | 1
	s.root = palloc.NewAllocSet(palloc.Top(), "stress")
	s.shared = palloc.NewAllocSet(s.root, "shared", palloc.Shared())
	var group sync.WaitGroup
	for g := range stressors {
		group.Go(func() {
			w := &stressor{stress: s, r: rand.New(rand.NewPCG(seed, uint64(g)))}
			for k, sort := range []sort{allocSet, generation, bump} {
				w.own[k] = newContext(sort, s.root, fmt.Sprint("own", k), 0)
			}
			w.work(10 * stressItems * (g%8 + 1))
		})
	}
	group.Wait()
	for i := range s.slots {
		if p := s.slots[i].Swap(nil); p != nil {
			s.free(p)
		}
	}
	if !s.shared.IsEmpty() {
		s.t.Errorf("the shared context is not empty: %+v", s.shared.Stats())
	}
	if err := s.root.Check(); err != nil {
		s.t.Error(err)
	}
	s.root.Delete()
}

func TestManyGoroutinesExchangeChunksAndContexts(t *testing.T) {
	long := 10 * time.Second
	if testing.Short() {
		long = 3 * time.Second
	}
	base := palloc.Top().TreeHeld()
	s, rounds, seed := &stress{t: t}, 0, uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for begin := time.Now(); time.Since(begin) < long && !t.Failed(); rounds++ {
		s.round(seed + uint64(rounds))
	}
	t.Logf("%d rounds of %d goroutines: %d objects verified, %d handed over, with %d contexts", rounds, stressors, s.verified.Load(), s.handed.Load(), s.whole.Load())
	if s.handed.Load() == 0 || s.whole.Load() == 0 {
		t.Error("nothing was handed over")
	}
	if now := palloc.Top().TreeHeld(); now != base {
		t.Errorf("Top holds %d bytes after the last round, and %d before the first", now, base)
	}
}
