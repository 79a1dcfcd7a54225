package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/block"
)

// Damaged memory: a word of a context is overwritten. Every question about a pointer then
// ends in a *Fault or in an answer about a chunk; Check ends and changes nothing.

// A wreck is a context whose words are damaged one at a time.
type wreck struct {
	t    *testing.T
	r    *rand.Rand
	mc   palloc.Context
	all  []unsafe.Pointer        // every chunk, freed ones too
	live map[unsafe.Pointer]bool // addresses that may be taken for the start of a live chunk
}

func newWreck(t *testing.T, seed uint64, make func(parent palloc.Context) palloc.Context) *wreck {
	w := &wreck{t: t, r: rand.New(rand.NewPCG(seed, 6)), mc: make(newRoot(t)), live: map[unsafe.Pointer]bool{}}
	isSlab, isBump := w.mc.Kind() == palloc.KindSlab, w.mc.Kind() == palloc.KindBump
	for i := range 400 {
		size, align := 64, 8
		if !isSlab {
			size, align = w.r.IntN(3000), 8<<w.r.IntN(2)
			if i%50 == 0 {
				size = 20_000
			}
		}
		p := w.mc.AllocAligned(size, align)
		if w.all = append(w.all, p); !isBump && w.r.IntN(3) == 0 {
			palloc.FreePointer(p)
		} else {
			w.live[p] = true
			if align > 8 { // the chunk around the aligned one begins at one of these
				w.live[unsafe.Add(p, -16)], w.live[unsafe.Add(p, -24)] = true, true
			}
		}
	}
	return w
}

// one returns one of the chunks.
func (w *wreck) one() unsafe.Pointer { return w.all[w.r.IntN(len(w.all))] }

// unit returns the start of the smallest piece of memory that a block can begin at.
func unit(p unsafe.Pointer) unsafe.Pointer { return unsafe.Add(p, -int(uintptr(p)%256)) }

// place returns the address of a word to damage: a header, a chunk's first word, or a word
// of a block's head.
func (w *wreck) place(p unsafe.Pointer) *uint64 {
	switch w.r.IntN(4) {
	case 0:
		return (*uint64)(unsafe.Add(p, -8))
	case 1:
		return (*uint64)(unsafe.Add(p, -16))
	case 2:
		return (*uint64)(p)
	}
	return (*uint64)(unsafe.Add(unit(p), w.r.IntN(12)*8))
}

// damaged returns the value to write over a word.
func (w *wreck) damaged(old uint64) uint64 {
	q := w.one()
	switch w.r.IntN(9) {
	case 0:
		return old ^ 1<<w.r.IntN(64)
	case 1:
		return w.r.Uint64()
	case 2:
		return uint64(uintptr(q))
	case 3:
		return *(*uint64)(unsafe.Add(q, -8))
	case 4:
		return uint64(w.r.IntN(300))
	case 5:
		return uint64(uintptr(unit(q)))
	case 6:
		return old&^0xffff | uint64(w.r.IntN(1<<16))
	case 7:
		return old&^0xffffffff | uint64(w.r.IntN(1<<12)) // another node's number
	}
	return 0x4141414141414141
}

// asks are questions that change nothing; deeds are operations for pointers to no chunk.
var (
	asks = map[string]func(p unsafe.Pointer){
		"UsableSize": func(p unsafe.Pointer) { palloc.UsableSize(p) },
		"Footprint":  func(p unsafe.Pointer) { palloc.Footprint(p) },
		"ContextOf":  func(p unsafe.Pointer) { _ = palloc.ContextOf(p).Path() },
	}
	evils = map[string]func(p unsafe.Pointer){
		"Free":        palloc.FreePointer,
		"Realloc":     func(p unsafe.Pointer) { palloc.Realloc(p, 5000) },
		"FreeSlice":   func(p unsafe.Pointer) { palloc.FreeSlice(unsafe.Slice((*uint16)(p), 3)) },
		"a small one": func(p unsafe.Pointer) { palloc.Realloc(p, 1) },
	}
)

// only runs f, which may panic with a *Fault and with nothing else.
func (w *wreck) only(what string, f func()) (fault bool) {
	defer func() {
		if r := recover(); r != nil {
			err, _ := r.(error)
			var f *palloc.Fault
			if fault = errors.As(err, &f); !fault {
				w.t.Errorf("%s panics with %v", what, r)
			}
		}
	}()
	f()
	return false
}

// hit damages a word, asks, and restores the word.
func (w *wreck) hit() {
	p := w.one()
	at := w.place(p)
	restore := overwrite(at, w.damaged(*at))
	defer restore()
	what := fmt.Sprintf("%#x at %p, a chunk at %p: ", *at, at, p)
	w.only(what+"Check", func() { _ = w.mc.Check() })
	q := unsafe.Add(unit(p), w.r.IntN(40)*8)
	for name, ask := range asks {
		w.only(what+name+fmt.Sprint(" of ", q), func() { ask(q) })
	}
	begin, _ := block.Find(uintptr(q))
	inHead := uintptr(q)-begin <= 64 // where a kind may keep the initial value of headers
	if w.live[q] || inHead || (*uint64)(unsafe.Add(q, -8)) == at || (*uint64)(unsafe.Add(q, -16)) == at {
		return // it may be taken for a chunk
	}
	for name, evil := range evils {
		if !w.only(what+name+fmt.Sprint(" of ", q), func() { evil(q) }) {
			w.t.Errorf("%s%s of %p is accepted", what, name, q)
		}
	}
}

func TestDamageMakesNothingButFaults(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	hits := sized(4000, 500)
	makers := map[string]func(p palloc.Context) palloc.Context{
		"Slab": func(p palloc.Context) palloc.Context { return palloc.NewSlab(p, "c", 64) },
	}
	for _, g := range growers {
		makers[g.name] = g.make
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			w := newWreck(t, 1, make)
			wantSound(t, "before", w.mc)
			for range hits {
				if w.hit(); t.Failed() {
					break
				}
			}
			wantSound(t, "afterwards", w.mc)
		})
	}
}

// verifiers are the ways to allocate that verify a freed chunk before they hand it out.
var verifiers = []struct {
	name  string
	make  func(parent palloc.Context) palloc.Context
	alloc func(mc palloc.Context) unsafe.Pointer
}{
	{"Shared", func(p palloc.Context) palloc.Context { return palloc.NewAllocSet(p, "verified", palloc.Shared()) },
		func(mc palloc.Context) unsafe.Pointer { return mc.Alloc(64) }},
	{"aligned", func(p palloc.Context) palloc.Context { return palloc.NewAllocSet(p, "verified") },
		func(mc palloc.Context) unsafe.Pointer { return mc.AllocAligned(2000, 512) }},
}

// overwrites are what may happen to a freed chunk: where the word is, from its beginning, and what
// is written.
var overwrites = []struct {
	name string
	at   int
	word uint64
}{
	{"link to nowhere", 0, 0x4141414141414141},
	{"link to an odd address", 0, 1},
	{"link to the chunk's middle", 0, 0},
	{"header", -8, 0x4141414141414141},
	{"header of zero", -8, 0},
}

// TestAFreedChunkThatWasWrittenToIsNotHandedOut overwrites a freed chunk: the allocation that meets it
// says so, and the context goes on without what was freed.
func TestAFreedChunkThatWasWrittenToIsNotHandedOut(t *testing.T) {
	mustBePlain(t)
	for _, v := range verifiers {
		for _, o := range overwrites {
			t.Run(v.name+"/"+o.name, func(t *testing.T) {
				mc := v.make(newRoot(t))
				first, live, freed := v.alloc(mc), v.alloc(mc), v.alloc(mc)
				*(*uint64)(live) = 7
				palloc.FreePointer(first)
				palloc.FreePointer(freed)
				if o.word == 0 && o.at == 0 {
					o.word = uint64(uintptr(live)) + 16
				}
				*(*uint64)(unsafe.Add(freed, o.at)) = o.word
				var met *palloc.Fault
				for i := 0; met == nil && i < 3; i++ {
					met = faultOf(t, func() { v.alloc(mc) })
				}
				if met == nil || met.Mistake != palloc.WriteAfterFree || met.Context != mc.Path() || !strings.Contains(met.Op, "Alloc") || met.From == 0 {
					t.Fatalf("the Fault is %v", met)
				}
				for range 100 {
					p := v.alloc(mc)
					if p == live || p == freed && o.at < 0 {
						t.Fatalf("%p is handed out, which is no free chunk", p)
					}
					*(*uint64)(p) = 8
				}
				if *(*uint64)(live) != 7 {
					t.Errorf("a live chunk holds %d", *(*uint64)(live))
				}
			})
		}
	}
}
