package proptest_test

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"pgregory.net/rapid"
)

// Programs of which several variants must come to the same: on other kinds and block sizes,
// after a reset, with frees in another order, with children deleted before.
//
// Invariant: a program is drawn once, and played several times in new contexts.
//
// Cost: some milliseconds for each program.

// A step is an operation of a program that is played several times.
type step struct {
	op          int
	index, size int
}

const (
	stepAlloc = iota
	stepAlloc2
	stepZeroed
	stepFree
	stepRealloc
	stepAppend
	stepChild
	stepDelete
	stepReset
	stepKinds
)

// drawSteps draws a program. Sizes are fixed if that is not 0.
func drawSteps(t *rapid.T, most, fixed int) (steps []step) {
	m := &model{T: t}
	any := &node{sort: allocSet}
	if fixed > 0 {
		any = &node{sort: slab, size: fixed}
	}
	for range 1 + m.index(most, "steps") {
		steps = append(steps, step{m.index(stepKinds, "op"), anyIndex.Draw(t, "index"), m.sizeIn(any)})
	}
	return steps
}

// A player plays a program in contexts of one sort.
type player struct {
	t      *rapid.T
	sort   sort
	size   int // of a Slab
	opts   []palloc.Option
	levels []palloc.Context // the root, its child and so on
	names  int
	chunks []chunk
	list   []uint32 // a slice in the root
	listed bool     // steps may append to it
}

// A chunk is one of a player.
type chunk struct {
	at    unsafe.Pointer
	size  int
	seed  uint64
	level int
}

func (c chunk) piece() *piece { return &piece{at: c.at, size: c.size, seed: c.seed} }

func (p *player) create(parent palloc.Context) {
	p.names++
	p.levels = append(p.levels, newContext(p.sort, parent, fmt.Sprint("level", len(p.levels)), p.size, p.opts...))
}

func (p *player) frees() bool { return p.sort != bump }

// play does a step.
func (p *player) play(s step, seed uint64) {
	level := s.index % len(p.levels)
	mc := p.levels[level]
	switch s.op {
	case stepAlloc, stepAlloc2:
		p.take(mc.Alloc(s.size), s.size, seed, level)
	case stepZeroed:
		at := mc.AllocZeroed(s.size)
		if !isZero(unsafe.Slice((*byte)(at), s.size)) {
			p.t.Fatalf("AllocZeroed of %d bytes in a %v is not zero", s.size, p.sort)
		}
		p.take(at, s.size, seed, level)
	case stepFree:
		if len(p.chunks) > 0 {
			i := s.index % len(p.chunks)
			if p.frees() {
				palloc.FreePointer(p.chunks[i].at)
			}
			p.chunks = slices.Delete(p.chunks, i, i+1)
		}
	case stepRealloc:
		p.realloc(s)
	case stepAppend:
		if p.sort != slab && p.listed {
			p.list = palloc.Append(p.levels[0], p.list, elements(7, len(p.list), len(p.list)+s.size%200)...)
		}
	case stepChild:
		if len(p.levels) < 5 {
			p.create(p.levels[len(p.levels)-1])
		}
	case stepDelete:
		if level > 0 {
			mc.Delete()
			p.forget(level)
			p.levels = p.levels[:level]
		}
	case stepReset:
		if level > 0 {
			mc.Reset()
			p.forget(level)
			p.levels = p.levels[:level+1]
		}
	}
}

func (p *player) take(at unsafe.Pointer, size int, seed uint64, level int) {
	c := chunk{at, size, seed, level}
	c.piece().stamp()
	p.chunks = append(p.chunks, c)
}

// realloc resizes a chunk; a Bump's is copied, as a program would.
func (p *player) realloc(s step) {
	if len(p.chunks) == 0 {
		return
	}
	c := &p.chunks[s.index%len(p.chunks)]
	var at unsafe.Pointer
	if p.frees() {
		at = palloc.Realloc(c.at, s.size)
	} else {
		at = p.levels[c.level].Alloc(s.size)
		copy(unsafe.Slice((*byte)(at), s.size), c.piece().bytes())
	}
	old := &piece{at: at, size: s.size, seed: c.seed}
	if i := old.differs(c.size, min(c.size, s.size)); i >= 0 {
		p.t.Fatalf("byte %d of %d changed in a Realloc to %d in a %v", i, c.size, s.size, p.sort)
	}
	c.at, c.size = at, s.size
	c.piece().stamp()
}

// forget removes the chunks of a level and of all below it.
func (p *player) forget(level int) {
	p.chunks = slices.DeleteFunc(p.chunks, func(c chunk) bool { return c.level >= level })
}

// outcome returns all that a program left: the tree, and what is in each chunk.
func (p *player) outcome() string {
	text := ""
	for mc := range p.levels[0].All() {
		text += mc.Name() + " "
	}
	text += fmt.Sprint(len(p.list))
	for i, v := range p.list {
		if v != element(7, i) {
			p.t.Fatalf("element %d of %d in a %v is %d", i, len(p.list), p.sort, v)
		}
	}
	for _, c := range p.chunks {
		if i := c.piece().differs(c.size, c.size); i >= 0 {
			p.t.Fatalf("byte %d of a chunk of %d bytes in a %v changed", i, c.size, p.sort)
		}
		text += fmt.Sprintf(" %d:%d:%x", c.level, c.size, c.seed)
	}
	if err := p.levels[0].Check(); err != nil {
		p.t.Fatal(err)
	}
	return text
}

// playAll plays a program in new contexts, below a root that it deletes, and returns the
// outcome.
func playAll(t *rapid.T, steps []step, s sort, size int, opts ...palloc.Option) string {
	root := palloc.NewAllocSet(palloc.Top(), "player")
	defer root.Delete()
	p := &player{t: t, sort: s, size: size, opts: opts, listed: size == 0}
	p.create(root)
	for i, s := range steps {
		p.play(s, uint64(i)*0x9e3779b97f4a7c15)
	}
	return p.outcome()
}

// variants are the block sizes with which programs are played.
var variants = [][]palloc.Option{nil, {palloc.BlockSizes(1<<10, 1<<10)}, {palloc.BlockSizes(8<<10, 64<<10)}, {palloc.BlockSizes(256<<10, 1<<20)}}

func TestAProgramDoesTheSameOnEveryKind(t *testing.T) {
	checks(t, 1000)
	for _, size := range []int{0, 8, 100, 2000} { // 0 stands for all sizes, which no Slab takes
		t.Run(fmt.Sprint("size ", size), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				steps, want := drawSteps(t, 60, size), ""
				for s := allocSet; s < sorts && (size > 0 || s < slab); s++ {
					for i, opts := range variants {
						got := playAll(t, steps, s, size, opts...)
						if want == "" {
							want = got
						}
						if got != want {
							t.Fatalf("a %v with block sizes %d comes to\n%s\nand others to\n%s", s, i, got, want)
						}
					}
				}
			})
		})
	}
}

// used plays a program in a context, and returns its outcome and what its chunks take.
func (p *player) used(steps []step) string {
	for i, s := range steps {
		if s.op < stepChild {
			p.play(s, uint64(i)*0x9e3779b97f4a7c15)
		}
	}
	text, sum := p.outcome(), 0
	for _, c := range p.chunks {
		if p.frees() {
			sum += palloc.UsableSize(c.at)
		}
	}
	return fmt.Sprint(text, " usable ", sum)
}

func TestAContextIsAsNewAfterAReset(t *testing.T) {
	checks(t, 1000)
	for s := range sorts {
		t.Run(s.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				size := 0
				if s == slab {
					size = 40
				}
				before, steps := drawSteps(t, 60, size), drawSteps(t, 60, size)
				root := palloc.NewAllocSet(palloc.Top(), "player")
				defer root.Delete()
				fresh := &player{t: t, sort: s, size: size, listed: true}
				fresh.create(root)
				want := fresh.used(steps)
				reset := &player{t: t, sort: s, size: size, listed: true}
				reset.create(root)
				reset.used(before)
				mc := reset.levels[0]
				if mc.Reset(); !mc.IsEmpty() || mc.Stats().Blocks > 1 && s != shared {
					t.Fatalf("after the reset there is %+v", mc.Stats())
				}
				reset.chunks, reset.list = nil, nil
				if got := reset.used(steps); got != want {
					t.Fatalf("after a reset the program comes to\n%s\nand in a new context to\n%s", got, want)
				}
			})
		})
	}
}

// freed returns the statistics of a context in which chunks were freed in an order, before
// and after Compact.
func freed(s sort, size int, name string, sizes, order []int) (plain, compact palloc.Stats) {
	mc := newContext(s, palloc.Top(), name, size, palloc.BlockSizes(4<<10, 32<<10))
	defer mc.Delete()
	var all []unsafe.Pointer
	for _, n := range sizes {
		all = append(all, mc.Alloc(n))
	}
	for _, i := range order {
		palloc.FreePointer(all[i])
	}
	plain = mc.Stats()
	mc.Compact()
	return plain, mc.Stats()
}

func TestTheOrderOfFreesIsIrrelevant(t *testing.T) {
	checks(t, 1000)
	played := 0
	for _, s := range []sort{allocSet, generation, slab} {
		t.Run(s.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m, size := &model{T: t}, 0
				if s == slab {
					size = 200
				}
				var sizes, order []int
				for i := range 1 + m.index(150, "chunks") {
					sizes = append(sizes, m.sizeIn(&node{sort: s, size: size}))
					if m.index(4, "stays") > 0 {
						order = append(order, i)
					}
				}
				shuffled := order
				if len(order) > 1 {
					shuffled = rapid.Permutation(order).Draw(t, "order")
				}
				backward := slices.Clone(order)
				slices.Reverse(backward)
				var first palloc.Stats
				for i, o := range [][]int{order, backward, shuffled} {
					played++ // a name of its own, so that no block of an earlier context is there
					plain, compact := freed(s, size, fmt.Sprint("order ", played), sizes, o)
					if i == 0 {
						first = compact
					}
					if plain.Used < compact.Used || plain.Held < compact.Held || compact != first {
						t.Fatalf("freed in order %d, the context has %+v, after Compact %+v, and otherwise %+v", i, plain, compact, first)
					}
				}
			})
		})
	}
}

func TestAResetIsADeletionOfTheChildrenBefore(t *testing.T) {
	checks(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{T: t}
		var parents, kinds, chunks []int
		for i := range 1 + m.index(12, "contexts") {
			parents = append(parents, m.index(i+1, "parent"))
			kinds = append(kinds, m.index(int(slab), "kind"))
			chunks = append(chunks, m.index(20, "chunks"))
		}
		play := func(end func(root palloc.Context)) string {
			top := palloc.NewAllocSet(palloc.Top(), "top")
			defer top.Delete()
			ran, all := []int{}, []palloc.Context{palloc.NewAllocSet(top, "root")}
			for i, parent := range parents {
				mc := newContext(sort(kinds[i]), all[parent], fmt.Sprint("child ", i), 0)
				all = append(all, mc)
				for range chunks[i] {
					mc.Alloc(300)
				}
				mc.BeforeReset(func() { ran = append(ran, 2*i) })
				mc.BeforeReset(func() { ran = append(ran, 2*i+1) })
			}
			all[0].Alloc(100)
			all[0].BeforeReset(func() { ran = append(ran, -1) })
			end(all[0])
			if err := top.Check(); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(ran, all[0].Stats(), all[0].TreeHeld(), all[0].IsEmpty(), all[0].Live(), top.IsEmpty())
		}
		want := play(palloc.Context.Reset)
		for i, end := range []func(palloc.Context){
			func(root palloc.Context) { root.DeleteChildren(); root.Reset() },
			func(root palloc.Context) { root.DeleteChildren(); root.ResetOnly() },
			func(root palloc.Context) {
				for child := range root.Children() {
					child.Delete()
				}
				root.Reset()
			},
		} {
			if got := play(end); got != want {
				t.Fatalf("way %d comes to\n%s\nand Reset to\n%s", i, got, want)
			}
		}
	})
}
