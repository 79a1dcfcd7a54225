package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/block"
)

// Check finds no fault in a sound tree, after any operations.

// wantSound checks that Check finds no fault.
func wantSound(t *testing.T, when string, mc palloc.Context) {
	t.Helper()
	if err := mc.Check(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// A script runs random operations below a context.
type script struct {
	mc       palloc.Context
	r        *rand.Rand
	contexts []*scripted
}

// A scripted is a context of a script, with its chunks.
type scripted struct {
	palloc.Context
	size   int // of chunks, when it is a Slab
	chunks []unsafe.Pointer
}

// step runs one operation and returns its name.
func (s *script) step() string {
	if len(s.contexts) == 0 || s.r.IntN(40) == 0 {
		return s.create()
	}
	c := s.contexts[s.r.IntN(len(s.contexts))]
	k := c.Kind()
	switch n := s.r.IntN(100); {
	case n < 45:
		return s.alloc(c)
	case n < 80 && len(c.chunks) > 0 && k != palloc.KindBump:
		return s.free(c)
	case n < 90 && len(c.chunks) > 0 && k != palloc.KindBump:
		return s.resize(c)
	case n < 92:
		return s.end(c, "reset", c.Reset, false)
	case n < 94:
		return s.end(c, "delete", c.Delete, true)
	case n < 95:
		parent := s.contexts[s.r.IntN(len(s.contexts))]
		if s.below(parent.Context, c.Context) {
			return "nothing"
		}
		c.SetParent(parent.Context)
		return "move"
	case n < 97:
		c.SetIdent("ident")
		c.BeforeReset(func() {})
		c.OnPressure(func(palloc.Pressure) error { return nil })
		return "ident and callbacks"
	case n < 98:
		c.ResetPeak()
		return "budget"
	}
	for range 20 { // a context per call
		brief := newKind(c.Context, kinds[s.r.IntN(4)], "brief", 24)
		brief.Alloc(24)
		brief.Delete()
	}
	return "brief contexts"
}

func (s *script) below(mc, top palloc.Context) bool {
	for c := range top.All() {
		if c == mc {
			return true
		}
	}
	return false
}

func (s *script) create() string {
	parent := s.mc
	if len(s.contexts) > 0 && s.r.IntN(2) == 0 {
		parent = s.contexts[s.r.IntN(len(s.contexts))].Context
	}
	k, size := kinds[s.r.IntN(4)], []int{0, 8, 24, 100, 1000, 20_000, 2 << 20}[s.r.IntN(7)]
	s.contexts = append(s.contexts, &scripted{Context: newKind(parent, k, "scripted", size), size: size})
	return "create " + k.String()
}

func (s *script) size(c *scripted) int {
	switch s.r.IntN(30) {
	case 0:
		return s.r.IntN(100_000)
	case 1, 2:
		return s.r.IntN(9000)
	}
	return s.r.IntN(300)
}

func (s *script) alloc(c *scripted) string {
	for range 1 + s.r.IntN(10) {
		size := s.size(c)
		var p unsafe.Pointer
		switch k := c.Kind(); {
		case k == palloc.KindSlab:
			size = c.size
			p = c.Alloc(size)
		case s.r.IntN(5) == 0:
			p = c.AllocAligned(size, 1<<s.r.IntN(13))
		default:
			p = c.Alloc(size)
		}
		scribble(bytesAt(p, size), len(c.chunks))
		c.chunks = append(c.chunks, p)
	}
	return "alloc in " + c.Path()
}

func (s *script) take(c *scripted) unsafe.Pointer {
	i, last := s.r.IntN(len(c.chunks)), len(c.chunks)-1
	p := c.chunks[i]
	c.chunks[i] = c.chunks[last]
	c.chunks = c.chunks[:last]
	return p
}

func (s *script) free(c *scripted) string {
	for range min(len(c.chunks), 1+s.r.IntN(12)) {
		palloc.FreePointer(s.take(c))
	}
	return "free in " + c.Path()
}

func (s *script) resize(c *scripted) string {
	size := s.size(c)
	if c.Kind() == palloc.KindSlab {
		size = c.size
	}
	p := palloc.Realloc(s.take(c), size)
	scribble(bytesAt(p, size), size)
	c.chunks = append(c.chunks, p)
	return fmt.Sprintf("realloc to %d in %s", size, c.Path())
}

// end resets or deletes a context, and forgets the contexts and chunks that this ends.
func (s *script) end(c *scripted, what string, do func(), gone bool) string {
	path := c.Path()
	do()
	c.chunks = nil
	var left []*scripted
	for _, c := range s.contexts {
		if c.Live() {
			left = append(left, c)
		}
	}
	s.contexts = left
	return what + " " + path
}

func TestCheckFindsNothingAfterAnyStep(t *testing.T) {
	seeds, steps := sized(20, 4), sized(400, 150)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			s := script{mc: newRoot(t), r: rand.New(rand.NewPCG(uint64(seed), 5))}
			for i := range steps {
				what := s.step()
				wantSound(t, fmt.Sprintf("step %d, %s", i, what), s.mc)
			}
			wantSound(t, "all contexts", palloc.Top())
			s.mc.Delete()
			wantSound(t, "all contexts, those of the script deleted", palloc.Top())
		})
	}
}

func TestCheckFindsNothingInBudgets(t *testing.T) {
	mc := newRoot(t)
	for limit := int64(2 << 10); limit < 200<<10; limit = limit*5/4 + 777 {
		c := palloc.NewAllocSet(mc, "limited")
		c.SetLimit(limit)
		l := &limited{t: t, mc: c, limit: limit}
		l.run()
		wantSound(t, fmt.Sprintf("limit %d", limit), mc)
		if c.Live() {
			c.Delete()
		}
	}
	outer := palloc.NewAllocSet(mc, "outer")
	inner := palloc.NewAllocSet(outer, "inner")
	inner.Alloc(5000)
	outer.SetLimit(1 << 20)
	inner.SetSoftLimit(1 << 19)
	defer outer.EnterCritical()()
	wantSound(t, "one budget in another", mc)
	inner.SetParent(mc)
	wantSound(t, "one that moved out", mc)
}

func TestCheckIsOfAContextAndWhatIsBelow(t *testing.T) {
	mc := newRoot(t)
	a, b := palloc.NewAllocSet(mc, "a"), palloc.NewAllocSet(mc, "b")
	below := palloc.NewAllocSet(b, "below")
	p := below.Alloc(40)
	restore := overwrite((*uint64)(unsafe.Add(p, -8)), 0x6d616e7962797465)
	defer restore()
	wantSound(t, "a", a)
	for _, c := range []palloc.Context{below, b, mc, palloc.Top()} {
		err := c.Check()
		var corruption *palloc.CorruptionError
		if !errors.As(err, &corruption) {
			t.Fatalf("the check of %s says %v", c.Path(), err)
		}
		want := palloc.CorruptionError{Context: "Top/test/b/below", Kind: palloc.KindAllocSet, Block: corruption.Block, Address: uintptr(p), Reason: corruption.Reason}
		if *corruption != want || corruption.Block == 0 {
			t.Errorf("the check of %s says %+v, not %+v", c.Path(), *corruption, want)
		}
		for _, part := range []string{"AllocSet", `"Top/test/b/below"`, fmt.Sprintf("%#x", p), fmt.Sprintf("%#x", corruption.Block), "0x6d616e7962797465"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the text lacks %q: %v", part, err)
			}
		}
	}
}

func TestCheckEndsItsListOfErrors(t *testing.T) {
	mc := newRoot(t)
	for range 50 {
		c := palloc.NewBump(mc, "c")
		c.Alloc(8)
		defer overwrite(&slotOf(c).Total, 77)()
	}
	err := mc.Check()
	if err == nil {
		t.Fatal("nothing is found")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 17 || !strings.Contains(lines[16], "more findings") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestCheckAcquiresNoBlock(t *testing.T) {
	s := script{mc: newRoot(t), r: rand.New(rand.NewPCG(1, 2))}
	for range 200 {
		s.step()
	}
	accounts, stock := s.mc.TreeHeld(), block.ReadStats()
	wantSound(t, "after the script", palloc.Top())
	if s.mc.TreeHeld() != accounts || block.ReadStats() != stock {
		t.Errorf("the check makes %d bytes of %d, and %+v of %+v", s.mc.TreeHeld(), accounts, block.ReadStats(), stock)
	}
}
