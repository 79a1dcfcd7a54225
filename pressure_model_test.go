package palloc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// A model of pressure: random trees, limits and callbacks. A request may be refused only
// where it would not fit even if the callbacks below the limit freed all they can.

// A consumer is a context of the model, with its chunks.
type consumer struct {
	palloc.Context
	m       *pressureModel
	deed    string           // what its callback does; "" means no callback
	large   []unsafe.Pointer // chunks with blocks of their own, which a callback may free
	filled  bool             // it has chunks
	running bool
	asks    bool // in an allocation: callbacks must not reset it
	spillTo *consumer
}

// A pressureModel is a tree and its expected state.
type pressureModel struct {
	t        *testing.T
	r        *rand.Rand
	root     palloc.Context
	all      []*consumer
	refusals int
	made     int
	calls    int
	deeds    map[string]int
	depth    int // callbacks running
}

var reactions = []string{"", "frees", "resets", "spills", "fails", "panics", "nests", "frees little", "says nothing"}

func newPressureModel(t *testing.T, seed uint64) *pressureModel {
	m := &pressureModel{t: t, r: rand.New(rand.NewPCG(seed, 11)), root: newRoot(t), deeds: map[string]int{}}
	for range 3 + m.r.IntN(12) {
		m.create()
	}
	return m
}

func (m *pressureModel) pick() *consumer { return m.all[m.r.IntN(len(m.all))] }

// create creates a context of a random kind at a random place.
func (m *pressureModel) create() {
	parent := m.root
	if len(m.all) > 0 && m.r.IntN(4) > 0 {
		parent = m.pick().Context
	}
	m.made++
	c := &consumer{m: m, deed: reactions[m.r.IntN(len(reactions))]}
	name := fmt.Sprint("c", m.r.IntN(5))
	switch k := m.r.IntN(6); k {
	case 4:
		c.Context = palloc.NewAllocSet(parent, name, palloc.Shared())
	case 5:
		c.Context = palloc.NewSlab(parent, name, 3000)
	default:
		c.Context = newKind(parent, kinds[k%len(kinds)], name, 3000)
	}
	c.SetIdent(fmt.Sprint("number ", m.made))
	if m.all = append(m.all, c); c.deed != "" {
		c.spillTo = m.pick()
		c.OnPressure(c.asked)
	}
}

// asked is the callback of OnPressure.
func (c *consumer) asked(p palloc.Pressure) error {
	if p.Need < p.Missing || p.Missing <= 0 || p.Need < p.Held/64 || !p.Asker.Live() || !p.Limit.Live() {
		c.m.t.Errorf("asked %+v", p)
	}
	c.running = true
	c.m.depth++
	defer func() { c.running = false; c.m.depth-- }()
	c.m.calls++
	c.m.deeds[c.deed]++
	switch c.deed {
	case "frees":
		c.free(p.Need)
	case "frees little":
		c.free(1)
	case "says nothing":
		c.free(p.Need)
		return errors.New("not a word of it")
	case "resets":
		c.reset()
	case "spills":
		if c.spillTo.Live() && !c.spillTo.asks && c.spillTo.Kind() != palloc.KindSlab {
			c.m.request(c.spillTo, 10_000)
		}
		c.reset()
	case "fails":
		return errors.New("the disk is full")
	case "panics":
		c.free(p.Need)
		panic("after all")
	case "nests":
		nested := palloc.NewBump(p.Limit, "nested")
		defer nested.Delete()
		if _, err := nested.TryAlloc(20_000); err != nil {
			c.m.judge(err)
		}
		c.free(p.Need)
	}
	return nil
}

func (c *consumer) is(mc palloc.Context) bool { return c.Context == mc }

// free frees chunks, the oldest first.
func (c *consumer) free(need int64) {
	for freed := int64(0); freed < need && len(c.large) > 0; c.large = c.large[1:] {
		freed += int64(palloc.Footprint(c.large[0]))
		palloc.FreePointer(c.large[0])
	}
}

// reset resets the context, unless it is in an allocation.
func (c *consumer) reset() {
	if !c.asks {
		c.ResetOnly()
		c.large, c.filled = nil, false
	}
}

// took records a chunk.
func (c *consumer) took(p unsafe.Pointer, size int) {
	if c.filled = true; size > 8<<10 && c.Kind() != palloc.KindBump {
		c.large = append(c.large, p)
	}
}

// freeable returns the bytes that the context's callback could still free.
func (c *consumer) freeable() (sum int64) {
	switch {
	case c.running:
	case c.deed == "resets" || c.deed == "spills":
		if c.filled && !c.asks {
			sum = max(0, c.Held()-8<<10) // a keeper may remain
		}
	case c.deed == "frees" || c.deed == "frees little" || c.deed == "says nothing" || c.deed == "panics" || c.deed == "nests":
		for _, p := range c.large {
			sum += int64(palloc.Footprint(p))
		}
	}
	return sum
}

// judge checks that a refusal was necessary.
func (m *pressureModel) judge(err error) {
	m.t.Helper()
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.LimitedBy == "" || oom.Held+oom.Need <= oom.Limit || len(oom.Tree.Rows) == 0 || strings.Contains(oom.Error(), "\n") {
		m.t.Fatalf("the error is %v", err)
	}
	m.refusals++
	if m.depth > 1 && strings.Contains(oom.Error(), "no callback is asked for it") {
		return
	}
	for _, limit := range m.all {
		if limit.Path() != oom.LimitedBy || limit.Ident() != oom.LimitIdent {
			continue
		}
		b := limit.Budget()
		left := int64(0)
		for _, c := range m.all {
			if c.is(limit.Context) || below(c.Context, limit.Context) {
				left += c.freeable()
			}
		}
		if b.Held-left+oom.Need <= b.Limit {
			m.t.Errorf("refused with %d bytes that could be freed, %d held of %d and %d needed: %v", left, b.Held, b.Limit, oom.Need, err)
		}
	}
}

// step runs a random operation.
func (m *pressureModel) step() {
	c := m.pick()
	switch n := m.r.IntN(40); {
	case n == 0 && len(m.all) < 24:
		m.create()
	case n == 1 && len(m.all) > 4:
		c.Delete()
		m.forget()
	case n == 2:
		c.ResetOnly()
		c.large, c.filled = nil, false
	case n < 6:
		c.SetLimit(int64(m.r.IntN(1 << 20)))
	case n < 8:
		c.SetSoftLimit(int64(m.r.IntN(1 << 20)))
	case n == 8:
		c.SetLimit(palloc.NoLimit)
		c.SetSoftLimit(palloc.NoLimit)
	case n == 9:
		if to := m.pick(); to != c && !below(to.Context, c.Context) {
			c.SetParent(to.Context)
		}
	case n == 10:
		c.free(1)
	default:
		m.allocate(c)
	}
}

// forget removes the deleted contexts from the model, and creates new ones if few are left.
func (m *pressureModel) forget() {
	kept := m.all[:0]
	for _, c := range m.all {
		if c.Live() {
			kept = append(kept, c)
		}
	}
	for m.all = kept; len(m.all) < 3; {
		m.create()
	}
}

func (m *pressureModel) allocate(c *consumer) {
	size := 3000
	if c.Kind() != palloc.KindSlab {
		size = m.r.IntN(1 << m.r.IntN(18))
	}
	m.request(c, size)
}

// request allocates, and checks a refusal.
func (m *pressureModel) request(c *consumer, size int) {
	c.asks = true
	defer func() { c.asks = false }()
	p, err := c.TryAlloc(size)
	if err != nil {
		m.judge(err)
		return
	}
	scribble(bytesAt(p, size), size)
	c.took(p, size)
}

// agree compares the budgets with the tree.
func (m *pressureModel) agree() {
	m.t.Helper()
	for _, c := range m.all {
		if b := c.Budget(); b.Held != c.TreeHeld() {
			m.t.Fatalf("%s: %+v, and a walk finds %d", c.Path(), b, c.TreeHeld())
		}
	}
	wantOrder(m.t, m.root)
}

func TestRefusedOnlyWhenNothingWasLeft(t *testing.T) {
	seeds, steps := sized(60, 15), sized(600, 200)
	refusals, calls, all := 0, 0, map[string]int{}
	for seed := range seeds {
		m := newPressureModel(t, uint64(seed))
		for i := range steps {
			if m.step(); i%20 == 0 {
				m.agree()
			}
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, i)
			}
		}
		m.agree()
		m.root.Delete()
		refusals, calls = refusals+m.refusals, calls+m.calls
		for deed, n := range m.deeds {
			all[deed] += n
		}
	}
	t.Logf("%d refusals, %d callbacks: %v", refusals, calls, all)
	if refusals < 10*seeds || calls < 50*seeds {
		t.Error("few refusals, or few callbacks")
	}
}

// TestPressureOfManyAtOnce has goroutines and their callbacks work at the same time: no
// goroutine waits for ever, and the budgets are exact.
func TestPressureOfManyAtOnce(t *testing.T) {
	const goroutines = 16
	steps := sized(400, 60)
	root := newRoot(t)
	var tenants []palloc.Context
	for i := range 3 {
		parent := root
		if i == 2 {
			parent = tenants[1]
		}
		tenants = append(tenants, palloc.NewAllocSet(parent, fmt.Sprint("tenant", i)))
		tenants[i].SetLimit(6 << 20)
	}
	root.SetLimit(10 << 20)
	tenants[0].SetSoftLimit(2 << 20)
	stores := make([]*store, len(tenants))
	for i, tenant := range tenants {
		stores[i] = newStore(tenant, tenants[(i+1)%len(tenants)])
	}
	var group sync.WaitGroup
	var granted [goroutines]int
	for g := range goroutines {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 5))
			s := newShard(tenants[g%len(tenants)], fmt.Sprint("shard", g))
			defer s.mc.Delete()
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(500))*time.Millisecond)
			defer cancel()
			if g%4 == 0 {
				s.mc.CancelWaits(ctx)
			}
			for range steps {
				switch r.IntN(8) {
				case 0:
					s.mc.AnswerPressure()
				case 1:
					stores[r.IntN(len(stores))].put(r.IntN(200_000))
				case 2:
					if page, err := palloc.TryMakeSlice[byte](s.mc, 100<<10, 100<<10); err == nil {
						s.pages = append(s.pages, page)
					}
				default:
					work := newKind(s.mc, kinds[r.IntN(len(kinds))], "work", 20_000)
					if _, err := work.TryAlloc(20_000); err == nil {
						granted[g]++
					}
					work.Delete()
				}
			}
		})
	}
	group.Wait()
	for g, n := range granted {
		if n == 0 {
			t.Errorf("goroutine %d was never granted anything", g)
		}
	}
	for _, mc := range append(tenants, root) {
		if b := mc.Budget(); b.Held != holds(mc) || b.Peak > b.Limit {
			t.Errorf("%+v, and a walk finds %d", b, holds(mc))
		}
	}
	wantOrder(t, root)
	t.Log("granted:", granted)
}

// A store is a cache shared by many goroutines. Its callback spills below another limit.
type store struct {
	sharedCache
	mc, spill palloc.Context
}

func newStore(tenant, other palloc.Context) *store {
	s := &store{mc: palloc.NewAllocSet(tenant, "store", palloc.Shared()), spill: palloc.NewAllocSet(other, "spill", palloc.Shared())}
	s.mc.OnPressure(s.evict)
	return s
}

func (s *store) put(size int) {
	if p, err := s.mc.TryAlloc(size); err == nil {
		s.sharedCache.put(p)
	}
}

func (s *store) evict(p palloc.Pressure) error {
	note, err := s.spill.TryAlloc(9000)
	if err == nil {
		defer palloc.FreePointer(note)
	}
	s.free(p.Need)
	return err
}
