// Package containertest has what the tests of the containers share.
//
// It holds: the kinds of contexts in which a container can be, random programs on one, and its end with
// its context.
//
// Invariant: a program is bytes, so that a fuzzer can change it.
//
// Cost: that of the programs. Only tests import it.
package containertest

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/palloctest"
)

var programs = flag.Int("programs", 0, "number of random programs, for TestModel; 0: some thousand, or some hundred with -short")

// Kinds is the number of contexts that ContextOf tells apart.
const Kinds = 4

// ContextOf returns a context of kind i modulo Kinds of those in which a container can be.
func ContextOf(parent palloc.Context, i int) palloc.Context {
	switch i % Kinds {
	case 0:
		return palloc.NewAllocSet(parent, "AllocSet")
	case 1:
		return palloc.NewGeneration(parent, "Generation")
	case 2:
		return palloc.NewBump(parent, "Bump")
	}
	return palloc.NewAllocSet(parent, "Shared", palloc.Shared())
}

// WantFault calls f, which must panic with a *palloc.Fault about op whose text has the words.
func WantFault(t *testing.T, f func(), op string, words ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		fault, ok := recover().(*palloc.Fault)
		if !ok || fault.Op != op {
			t.Fatalf("got %v, want a Fault of %s", fault, op)
		}
		for _, w := range words {
			if !strings.Contains(fault.Error(), w) {
				t.Fatalf("%q does not say %q", fault, w)
			}
		}
	}()
	f()
}

// Programs runs random programs in contexts of all kinds, one of 16 in a checked one: as many as -programs
// says, or else most, or few with -short. run must leave nothing in a context whose kind frees chunks.
func Programs(t *testing.T, most, few int, run func(t *testing.T, mc palloc.Context, code []byte)) {
	n := *programs
	if n == 0 {
		if n = most; testing.Short() {
			n = few
		}
	}
	checked := palloctest.New(t)
	plain := palloctest.New(t, palloctest.Unchecked())
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		code := make([]byte, 4+r.IntN(300))
		for i := range code {
			code[i] = byte(r.Uint32())
		}
		parent := plain
		if i%16 == 0 {
			parent = checked
		}
		mc := ContextOf(parent, i/16)
		run(t, mc, code)
		if mc.Kind().Frees() && !mc.IsEmpty() {
			t.Fatalf("program %d: chunks are left", i)
		}
		mc.Delete()
	}
}

// maxFuzzed is the number of operations of a program that a fuzzer finds which run. What is in the container
// is compared after each, and go test kills a fuzzer whose program takes more than 10 seconds.
const maxFuzzed = 1000

// Fuzz runs the programs that a fuzzer finds, in checked contexts.
func Fuzz(f *testing.F, run func(t *testing.T, mc palloc.Context, code []byte)) {
	f.Add([]byte("some operations"))
	f.Fuzz(func(t *testing.T, code []byte) {
		mc := ContextOf(palloctest.New(t), len(code))
		run(t, mc, code[:min(len(code), maxFuzzed)])
		mc.Delete()
	})
}

// A Container is what EndsWithItsContext is about: a pointer to a container.
type Container interface{ Len() int }

// EndsWithItsContext checks that each use of a container with memory, and of the zero one, is a Fault of
// the method after its context's reset and deletion, and that one without memory outlives a reset.
func EndsWithItsContext[C Container](t *testing.T, typ string, uses map[string]func(C), zero C, empty, filled func(palloc.Context) C) {
	root := palloctest.New(t, palloctest.Unchecked())
	for kind := range Kinds {
		for name, use := range uses {
			op := typ + "." + name
			mc := ContextOf(root, kind)
			x := filled(mc)
			mc.Reset()
			WantFault(t, func() { use(x) }, op, "reset")
			mc.Alloc(2000)
			WantFault(t, func() { use(x) }, op, "reset")
			mc.Delete()
			WantFault(t, func() { use(x) }, op)
			WantFault(t, func() { use(zero) }, op)
			mc = ContextOf(root, kind)
			x = empty(mc)
			mc.Alloc(100)
			mc.Reset()
			if x.Len() != 0 {
				t.Error("one without memory did not outlive a reset")
			}
			mc.Delete()
		}
	}
}
