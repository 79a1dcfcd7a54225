package proptest_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc"
	"pgregory.net/rapid"
)

// Fuzz targets: the state machines of each kind, and what grows in a context.
//
//	go test -run '^$' -fuzz '^FuzzAllocSet$' -fuzztime 30m -fuzzminimizetime 1x ./proptest
//
// The programs of a process share its page heap, so that their coverage differs from run to
// run; -fuzzminimizetime 1x keeps the fuzzer from spending its time on that.
//
// Likewise FuzzTree, FuzzShared, FuzzGeneration, FuzzBump, FuzzSlab and FuzzGrow; FuzzAppend
// and FuzzBuffer in the root, and FuzzRead in ./trace. The corpus in testdata/fuzz is run by
// go test.
//
// A machine reads its draws from the input, eight bytes each. A program ends where its input
// does, and is compared as far as it went.

func FuzzTree(f *testing.F)       { fuzz(f, allocSet, shared, generation, bump, slab) }
func FuzzAllocSet(f *testing.F)   { fuzz(f, allocSet) }
func FuzzShared(f *testing.F)     { fuzz(f, shared) }
func FuzzGeneration(f *testing.F) { fuzz(f, generation) }
func FuzzBump(f *testing.F)       { fuzz(f, bump) }
func FuzzSlab(f *testing.F)       { fuzz(f, slab) }

// fuzz fuzzes the state machine of some sorts, beginning with random programs.
func fuzz(f *testing.F, sorts ...sort) {
	for i := range uint64(8) {
		r := rand.New(rand.NewPCG(i, uint64(sorts[0])))
		seed := make([]byte, 1<<10<<(i%5))
		for at := range seed {
			seed[at] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(rapid.MakeFuzz(program(sorts...)))
}

// FuzzGrow grows a slice, a Buffer and clones side by side in one context, as its bytes say,
// and compares them with what Go's own do.
func FuzzGrow(f *testing.F) {
	f.Add(uint8(allocSet), []byte{0, 200, 1, 7, 2, 255, 3, 90, 4, 1, 5, 250})
	f.Add(uint8(bump), bytes.Repeat([]byte{0, 100, 1, 100}, 30))
	f.Add(uint8(generation), bytes.Repeat([]byte{1, 255, 5, 40, 0, 255, 3, 0}, 20))
	f.Add(uint8(shared), bytes.Repeat([]byte{2, 60, 6, 3, 4, 9}, 20))
	f.Fuzz(func(t *testing.T, kind uint8, program []byte) {
		program = program[:min(len(program), 400)]
		mc := newContext(sort(kind%uint8(slab)), palloc.Top(), "grow", 0)
		defer mc.Delete()
		g := &growth{t: t, mc: mc, buffer: palloc.NewBuffer(mc)}
		for ; len(program) >= 2; program = program[2:] {
			g.step(program[0]%8, int(program[1]))
			if len(program)%16 < 2 {
				g.compare()
			}
		}
		g.compare()
		if err := mc.Check(); err != nil {
			t.Error(err)
		}
	})
}

// growth is what FuzzGrow grows: in a context, and on Go's heap.
type growth struct {
	t      *testing.T
	mc     palloc.Context
	list   []uint16
	model  []uint16
	buffer *palloc.Buffer
	text   []byte
	clones []string
	copies []string
}

// step does one operation of a size.
func (g *growth) step(op byte, size int) {
	switch op {
	case 0:
		for i := range size {
			v := uint16(len(g.model) + i)
			g.list, g.model = palloc.Append(g.mc, g.list, v), append(g.model, v)
		}
	case 1:
		text := bytes.Repeat([]byte{byte(size), 'x'}, size)
		g.buffer.Write(text) // a Buffer fails only where a limit is
		g.text = append(g.text, text...)
	case 2:
		g.list = palloc.Grow(g.mc, g.list, 8*size)
	case 3:
		g.list, g.model = palloc.Append(g.mc, g.list, g.list...), append(g.model, g.model...)
		if len(g.model) > 1<<12 {
			g.list, g.model = g.list[:size], g.model[:size]
		}
	case 4:
		g.list = palloc.Clone(g.mc, g.list)
	case 5:
		part := string(g.text[:min(len(g.text), size)])
		g.clones, g.copies = append(g.clones, palloc.CloneString(g.mc, part)), append(g.copies, part)
	case 6:
		length := min(g.buffer.Len(), size)
		g.buffer.Truncate(length)
		g.text = g.text[:length]
	case 7:
		g.buffer.Write(g.buffer.Bytes()) // its own bytes
		if g.text = append(g.text, g.text...); len(g.text) > 1<<13 {
			g.buffer.Reset()
			g.text = g.text[:0]
		}
	}
}

// compare compares everything with Go's own.
func (g *growth) compare() {
	g.t.Helper()
	if len(g.list) != len(g.model) || !bytes.Equal(g.buffer.Bytes(), g.text) {
		g.t.Fatalf("%d elements and %d bytes, want %d and %d", len(g.list), g.buffer.Len(), len(g.model), len(g.text))
	}
	for i, v := range g.model {
		if g.list[i] != v {
			g.t.Fatalf("element %d of %d is %d, want %d", i, len(g.list), g.list[i], v)
		}
	}
	for i, s := range g.copies {
		if g.clones[i] != s {
			g.t.Fatalf("string %d is %q, want %q", i, g.clones[i], s)
		}
	}
}
