package hashmap_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// Random programs on maps, compared with Go's map.

var programs = flag.Int("programs", 0, "how many random programs TestMapsAreAsGosMap runs; 0: some hundred")

// A world runs the steps of a program on a map, a set and a map of strings, and on Go's map.
type world struct {
	t     testing.TB
	mc    palloc.Context
	m     *hashmap.Map[uint32, uint64]
	s     *hashmap.Set[[3]uint32]
	text  *hashmap.Strings[uint64]
	model map[uint32]uint64
	next  uint64
}

func newWorld(t testing.TB, mc palloc.Context, capacity int) *world {
	return &world{t: t, mc: mc, m: hashmap.New[uint32, uint64](mc, capacity), s: hashmap.NewSet[[3]uint32](mc, capacity),
		text: hashmap.NewStrings[uint64](mc, capacity), model: map[uint32]uint64{}}
}

func setKey(k uint32) [3]uint32 { return [3]uint32{k, 7, k / 3} }

func (w *world) put(k uint32) {
	w.next++
	w.model[k] = w.next
	if w.next%2 == 0 {
		w.m.Put(k, w.next)
		w.text.PutBytes([]byte(key(k)), w.next)
	} else {
		*w.m.Entry(k) = w.next
		*w.text.Entry(key(k)) = w.next
	}
	w.s.Add(setKey(k))
}

// key returns a string for a key: of 0 to 40 bytes, another for each.
func key(k uint32) string {
	if k == 0 {
		return ""
	}
	return fmt.Sprintf("%0*x", 1+k%40, k)
}

func (w *world) remove(k uint32) {
	w.t.Helper()
	_, there := w.model[k]
	delete(w.model, k)
	if m, s, text := w.m.Delete(k), w.s.Delete(setKey(k)), w.text.Delete(key(k)); m != there || s != there || text != there {
		w.t.Fatalf("Delete(%d) returns %v, %v, %v, want %v", k, m, s, text, there)
	}
}

func (w *world) get(k uint32) {
	w.t.Helper()
	want, there := w.model[k]
	if v, found := w.m.Get(k); v != want || found != there {
		w.t.Fatalf("Get(%d) returns %d, %v, want %d, %v", k, v, found, want, there)
	}
	if v, found := w.text.GetBytes([]byte(key(k))); v != want || found != there {
		w.t.Fatalf("GetBytes(%q) returns %d, %v, want %d, %v", key(k), v, found, want, there)
	}
	if w.s.Has(setKey(k)) != there || w.m.Has(k) != there || w.text.Has(key(k)) != there {
		w.t.Fatalf("Has(%d) is not %v", k, there)
	}
}

// compare compares all.
func (w *world) compare() {
	w.t.Helper()
	if w.m.Len() != len(w.model) || w.s.Len() != len(w.model) || w.text.Len() != len(w.model) {
		w.t.Fatalf("Len returns %d, %d, %d, want %d", w.m.Len(), w.s.Len(), w.text.Len(), len(w.model))
	}
	if got := maps.Collect(w.m.All()); !maps.Equal(got, w.model) {
		w.t.Fatalf("All returns %v, want %v", got, w.model)
	}
	seen := 0
	for range w.m.Keys() {
		seen++
	}
	for range w.s.All() {
		seen++
	}
	for range w.text.All() {
		seen++
	}
	if seen != 3*len(w.model) {
		w.t.Fatalf("loops return %d entries, want 3 times %d", seen, len(w.model))
	}
	for k := range w.model {
		w.get(k)
	}
}

// run runs a program: two bytes a step.
func (w *world) run(program []byte, keys uint32) {
	w.t.Helper()
	for len(program) >= 2 {
		op, k := program[0], (uint32(program[0])>>3<<8|uint32(program[1]))%keys
		program = program[2:]
		switch op % 8 {
		case 0, 1, 2:
			w.put(k)
		case 3, 4:
			w.remove(k)
		case 5, 6:
			w.get(k)
		case 7:
			w.rare(op, k)
		}
	}
	w.compare()
	if err := w.mc.Check(); err != nil {
		w.t.Fatal(err)
	}
}

// rare does what programs do not do often.
func (w *world) rare(op byte, k uint32) {
	w.t.Helper()
	switch op >> 3 {
	case 0:
		w.m.Clear()
		w.s.Clear()
		w.text.Clear()
		clear(w.model)
	case 1:
		w.m.Free()
		w.s.Free()
		w.text.Free()
		clear(w.model)
	case 2, 3, 4: // many
		for i := range 40 * uint32(op>>3) {
			w.put(k*1000 + i)
		}
	case 5: // all but a few
		for k := range maps.Keys(maps.Clone(w.model)) {
			if k%8 != 0 {
				w.remove(k)
			}
		}
	default:
		w.compare()
	}
}

func (w *world) free() {
	w.m.Free()
	w.s.Free()
	w.text.Free()
}

func TestMapsAreAsGosMap(t *testing.T) {
	n := *programs
	if n == 0 {
		n = 300
		if testing.Short() {
			n = 40
		}
	}
	for seed := range n {
		random := rand.New(rand.NewPCG(1, uint64(seed)))
		program := make([]byte, 2*random.IntN(400))
		for i := range program {
			program[i] = byte(random.Uint32())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, palloctest.New(t), seed%3*100)
			w.run(program, 1+random.Uint32N(2000))
			w.free()
		})
	}
}

func FuzzMap(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), uint32(10))
	f.Add([]byte{23, 1, 47, 1, 31, 9, 0, 5, 3, 5, 7, 0, 15, 0}, uint32(300))
	f.Fuzz(func(t *testing.T, program []byte, keys uint32) {
		w := newWorld(t, palloctest.New(t), 0)
		w.run(program[:min(len(program), 1000)], max(1, keys))
		w.free()
	})
}

// TestAMapGrowsThroughAllSizes compares at each size up to some tables, with every kind of context.
func TestAMapGrowsThroughAllSizes(t *testing.T) {
	most := uint32(20_000)
	if testing.Short() {
		most = 3000
	}
	for name, create := range kinds {
		t.Run(name, func(t *testing.T) {
			mc := create(palloctest.New(t, palloctest.Unchecked(), palloctest.AllowContexts()), "maps")
			w := newWorld(t, mc, 0)
			for k := range most {
				w.put(k)
				w.get(k)
				w.get(k / 2)
				w.get(k + 1)
				if k%(most/4) == 7 {
					w.compare()
				}
			}
			for k := range most {
				if k%4 != 0 {
					w.remove(k)
				}
			}
			w.compare()
			for k := range most {
				w.put(k + most/2)
			}
			w.compare()
			w.free()
		})
	}
}

var kinds = map[string]func(palloc.Context, string) palloc.Context{
	"AllocSet":   func(mc palloc.Context, name string) palloc.Context { return palloc.NewAllocSet(mc, name) },
	"Generation": func(mc palloc.Context, name string) palloc.Context { return palloc.NewGeneration(mc, name) },
	"Bump":       func(mc palloc.Context, name string) palloc.Context { return palloc.NewBump(mc, name) },
	"Shared": func(mc palloc.Context, name string) palloc.Context {
		return palloc.NewAllocSet(mc, name, palloc.Shared())
	},
}
