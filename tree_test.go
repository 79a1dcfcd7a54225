package palloc_test

import (
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The tree: the parents of contexts, their order and their names. The file begins with the
// functions that all tests of this package use: for a context of their own, and for the four
// kinds.

// newRoot returns a context for one test. It is deleted when the test ends, and then the
// tree must be as before.
func newRoot(t testing.TB) palloc.Context {
	t.Helper()
	top := palloc.Top()
	held, children := top.TreeHeld(), count(top)
	mc := palloc.NewAllocSet(top, "test")
	t.Cleanup(func() {
		if mc.Live() {
			mc.Delete()
		}
		if now := top.TreeHeld(); now != held {
			t.Errorf("the tree held %d bytes before the test and %d after it", held, now)
		}
		if now := count(top); now != children {
			t.Errorf("the root had %d children before the test and %d after it", children, now)
		}
	})
	return mc
}

func count(mc palloc.Context) (n int) {
	for range mc.Children() {
		n++
	}
	return n
}

var (
	kinds   = []palloc.Kind{palloc.KindAllocSet, palloc.KindSlab, palloc.KindGeneration, palloc.KindBump}
	freeing = kinds[:3] // the kinds that free single chunks
)

// newKind creates a context of a kind; a Slab has chunks of size bytes.
func newKind(parent palloc.Context, k palloc.Kind, name string, size int) palloc.Context {
	switch k {
	case palloc.KindSlab:
		return palloc.NewSlab(parent, name, size)
	case palloc.KindGeneration:
		return palloc.NewGeneration(parent, name)
	case palloc.KindBump:
		return palloc.NewBump(parent, name)
	}
	return palloc.NewAllocSet(parent, name)
}

// each runs f as a subtest for each of the kinds.
func each(t *testing.T, kinds []palloc.Kind, f func(t *testing.T, k palloc.Kind)) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) { f(t, k) })
	}
}

// cramped reports whether time or address space is short, so that large tests become a tenth
// as large: under the race detector, in short mode, on machines of 32 bits and on WebAssembly.
func cramped() bool {
	return raced || testing.Short() || unsafe.Sizeof(uintptr(0)) == 4 || runtime.GOARCH == "wasm"
}

// sized returns the size of a test: a smaller one where it is cramped.
func sized[T any](large, small T) T {
	if cramped() {
		return small
	}
	return large
}

// bytesAt returns the size bytes of a chunk.
func bytesAt(p unsafe.Pointer, size int) []byte { return unsafe.Slice((*byte)(p), size) }

// scribble fills bytes with a pattern made from a seed; scribbled reports whether they still
// have that pattern.
func scribble(b []byte, seed int) {
	for i := range b {
		b[i] = mark(seed, i)
	}
}

func scribbled(b []byte, seed int) bool {
	for i := range b {
		if b[i] != mark(seed, i) {
			return false
		}
	}
	return true
}

func mark(seed, i int) byte { return byte(uint64(seed*31+i+1) * 0x9e3779b97f4a7c15 >> 56) }

// names returns the names of the contexts that a walk visits.
func names(walk func(func(palloc.Context) bool)) (list []string) {
	for mc := range walk {
		list = append(list, mc.Name())
	}
	return list
}

func wantNames(t *testing.T, what string, walk func(func(palloc.Context) bool), want ...string) {
	t.Helper()
	if got := names(walk); !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", what, got, want)
	}
}

func TestTheNewestChildComesFirst(t *testing.T) {
	mc := newRoot(t)
	first := palloc.NewAllocSet(mc, "first")
	palloc.NewBump(mc, "second")
	palloc.NewGeneration(mc, "third")
	palloc.NewSlab(mc, "fourth", 64)
	wantNames(t, "children", mc.Children(), "fourth", "third", "second", "first")
	first.SetParent(mc)
	wantNames(t, "after the first moved to where it was", mc.Children(), "first", "fourth", "third", "second")
}

func TestAWalkVisitsParentsFirst(t *testing.T) {
	mc := newRoot(t)
	a := palloc.NewAllocSet(mc, "a")
	palloc.NewAllocSet(a, "aa")
	ab := palloc.NewAllocSet(a, "ab")
	palloc.NewAllocSet(ab, "aba")
	palloc.NewAllocSet(mc, "b")
	wantNames(t, "all", mc.All(), "test", "b", "a", "ab", "aba", "aa")
	wantNames(t, "all below a", a.All(), "a", "ab", "aba", "aa")
	for range mc.All() {
		break // a walk may end early
	}
}

func TestAWalkGoesThroughTheTreeAsItWas(t *testing.T) {
	mc := newRoot(t)
	for range 5 {
		palloc.NewAllocSet(mc, "old")
	}
	var seen, gone int
	for child := range mc.Children() {
		seen++
		if !child.Live() {
			gone++
			continue
		}
		child.Delete()
		palloc.NewAllocSet(mc, "new")
		for other := range mc.Children() {
			if other.Name() == "old" {
				other.Delete()
				break
			}
		}
	}
	if seen != 5 || gone != 2 {
		t.Errorf("%d children came by, %d of them deleted; want 5 and 2", seen, gone)
	}
	wantNames(t, "children", mc.Children(), "new", "new", "new")
}

func TestSetParentTakesTheSubtreeAlong(t *testing.T) {
	mc := newRoot(t)
	from, to := palloc.NewAllocSet(mc, "from"), palloc.NewAllocSet(mc, "to")
	palloc.NewAllocSet(to, "there")
	moved := palloc.NewAllocSet(from, "moved")
	child := palloc.NewGeneration(moved, "child")
	kept := palloc.CloneString(child, "kept")
	moved.SetParent(to)
	wantNames(t, "old parent", from.All(), "from")
	wantNames(t, "new parent", to.All(), "to", "moved", "child", "there")
	if moved.Parent() != to || child.Parent() != moved {
		t.Errorf("parents are %q and %q", moved.Parent().Name(), child.Parent().Name())
	}
	from.Delete()
	if path := child.Path(); path != "Top/test/to/moved/child" || kept != "kept" {
		t.Errorf("after the move: path %q, content %q", path, kept)
	}
	to.Delete()
	if child.Live() {
		t.Error("the subtree outlives its new parent")
	}
}

func TestTheMiddleChildMayLeave(t *testing.T) {
	mc := newRoot(t)
	a, b := palloc.NewAllocSet(mc, "a"), palloc.NewAllocSet(mc, "b")
	c, d := palloc.NewAllocSet(mc, "c"), palloc.NewAllocSet(mc, "d")
	c.SetParent(a)
	wantNames(t, "c moved", mc.All(), "test", "d", "b", "a", "c")
	b.Delete()
	wantNames(t, "b deleted", mc.All(), "test", "d", "a", "c")
	d.Delete()
	c.SetParent(mc)
	wantNames(t, "d deleted, c back", mc.All(), "test", "c", "a")
}

func TestSetParentRefusesWhatIsNoTree(t *testing.T) {
	mc := newRoot(t)
	a := palloc.NewAllocSet(mc, "a")
	b := palloc.NewAllocSet(a, "b")
	c := palloc.NewAllocSet(b, "c")
	dead := palloc.NewAllocSet(mc, "dead")
	dead.Delete()
	for _, bad := range []struct {
		name         string
		mc, to       palloc.Context
		where, words string
	}{
		{"itself", a, a, "Top/test/a", "cycle"},
		{"its child", a, b, "Top/test/a/b", "cycle"},
		{"its grandchild", a, c, "Top/test/a/b/c", "cycle"},
		{"a deleted context", a, dead, "dead", "deleted"},
		{"no context", a, palloc.Context{}, "", "zero Context"},
		{"the root", palloc.Top(), mc, "Top", "root"},
		{"a deleted child", dead, a, "dead", "deleted"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			wantFault(t, func() { bad.mc.SetParent(bad.to) }, "SetParent", bad.where, bad.words)
			wantNames(t, "after the refusal", mc.All(), "test", "a", "b", "c")
		})
	}
}

func TestEveryContextKnowsItself(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "known", 64)
		below := palloc.NewAllocSet(c, "below")
		if c.Name() != "known" || c.Path() != "Top/test/known" || below.Path() != "Top/test/known/below" {
			t.Errorf("name %q, path %q, child's path %q", c.Name(), c.Path(), below.Path())
		}
		if c.Kind() != k || c.Parent() != mc || !c.Live() {
			t.Errorf("kind %v, parent %q, live %v", c.Kind(), c.Parent().Name(), c.Live())
		}
		if copied := c; copied != c || c == mc {
			t.Error("handles do not compare as contexts do")
		}
		c.Delete()
		if c.Live() || below.Live() || c == newKind(mc, k, "known", 64) {
			t.Error("a deleted context is still known")
		}
	})
}

func TestKindsHaveNames(t *testing.T) {
	var got []string
	for _, k := range append(kinds, 0, 77) {
		got = append(got, k.String())
	}
	want := []string{"AllocSet", "Slab", "Generation", "Bump", "no kind", "no kind"}
	if !slices.Equal(got, want) {
		t.Errorf("kinds are called %q, not %q", got, want)
	}
}

func TestTheRootIsOneForAll(t *testing.T) {
	top := palloc.Top()
	if top != palloc.Top() || top.Path() != "Top" || top.Name() != "Top" || top.Kind() != palloc.KindAllocSet {
		t.Errorf("the root is the %v %q", top.Kind(), top.Path())
	}
	if top.Parent() != (palloc.Context{}) || top.Parent().Live() {
		t.Error("the root has a parent")
	}
}

func TestIsEmptyMeansNeitherChunksNorChildren(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 64)
		expect := func(when string, want bool) {
			t.Helper()
			if got := c.IsEmpty(); got != want {
				t.Errorf("%s: IsEmpty is %v", when, got)
			}
		}
		expect("at first", true)
		p := c.Alloc(64)
		expect("with a chunk", false)
		if k != palloc.KindBump {
			palloc.FreePointer(p)
			expect("when it is freed", true)
		}
		c.Alloc(64)
		c.Reset()
		expect("after a reset", true)
		child := palloc.NewBump(c, "child")
		expect("with a child", false)
		child.Delete()
		expect("without the child", true)
	})
}

func TestAnIdentSurvivesAResetAndDiesWithItsContext(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		if c.Ident() != "" {
			t.Errorf("a new context is called %q", c.Ident())
		}
		c.SetIdent("portal 16")
		c.SetIdent("portal 17")
		c.Alloc(64)
		c.Reset()
		if c.Ident() != "portal 17" {
			t.Errorf("after a reset it is called %q", c.Ident())
		}
		c.Delete()
		for range 3 { // one of them has the node of the deleted context
			if next := newKind(mc, k, "c", 64); next.Ident() != "" {
				t.Errorf("the next context is called %q", next.Ident())
			}
		}
		d := newKind(mc, k, "d", 64)
		d.SetIdent("x")
		d.SetIdent("")
		if d.Ident() != "" {
			t.Errorf("an ident taken away is still %q", d.Ident())
		}
	})
}

func TestNamesAndIdentsOutliveTheMemoryTheyWereGivenIn(t *testing.T) {
	mc := newRoot(t)
	scratch := palloc.NewAllocSet(mc, "scratch")
	name, ident := palloc.CloneString(scratch, "a name in a context"), palloc.CloneString(scratch, "an ident in a context")
	c := palloc.NewAllocSet(mc, name)
	c.SetIdent(ident)
	for _, s := range []string{name, ident} { // as the next owner of the memory would
		clear(bytesAt(unsafe.Pointer(unsafe.StringData(s)), len(s)))
	}
	scratch.Delete()
	if c.Name() != "a name in a context" || c.Ident() != "an ident in a context" {
		t.Errorf("the name became %q, the ident %q", c.Name(), c.Ident())
	}
	again := palloc.NewAllocSet(mc, "a name in a context")
	if got := again.Path(); got != "Top/test/a name in a context" {
		t.Errorf("the path is %q", got)
	}
}
