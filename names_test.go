package palloc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/gopalloc/palloc"
)

// Names made at run time: they are kept as long as a context has them, and do not affect
// other names.

// goHeap returns the live bytes on Go's heap.
func goHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func manyNames() int { return manyContexts() / 5 }

func TestMadeUpNamesOneAfterAnother(t *testing.T) {
	mc := newRoot(t)
	name := func(i int) string { return fmt.Sprint("request ", i) }
	pass := func(from, n int) {
		for i := range n {
			c := palloc.NewAllocSet(mc, name(from+i))
			c.Alloc(100)
			if got := c.Name(); got != name(from+i) {
				t.Fatalf("name %d is %q", from+i, got)
			}
			c.Delete()
		}
	}
	pass(0, 5000)
	heap, inUse := goHeap(), palloc.PageHeap().Held
	pass(5000, 2*manyNames())
	if more := goHeap() - heap; more > 1<<20 {
		t.Errorf("%d names that are gone take %d bytes of Go's heap", 2*manyNames(), more)
	}
	if more := palloc.PageHeap().Held - inUse; more > 9<<20 {
		t.Errorf("%d bytes are kept for contexts of names that are gone", more)
	}
	wantOwnNames(t, mc)
	wantSound(t, "afterwards", mc)
}

// wantOwnNames checks that contexts with constant names have these names, whatever names
// were used before.
func wantOwnNames(t *testing.T, mc palloc.Context) {
	t.Helper()
	for range 3 {
		for _, k := range kinds {
			c := newKind(mc, k, "a name that is new here", 100)
			if c.Name() != "a name that is new here" || !strings.HasSuffix(c.Path(), "/a name that is new here") {
				t.Errorf("it is called %q, and %q", c.Name(), c.Path())
			}
			c.Delete()
		}
	}
}

func TestMadeUpNamesAtOnce(t *testing.T) {
	n := manyNames()
	top := newRoot(t)
	heap := goHeap()
	for range 2 {
		mc := palloc.NewAllocSet(top, "at once")
		all := make([]palloc.Context, n)
		for i := range all {
			all[i] = palloc.NewAllocSet(mc, fmt.Sprint("request ", i))
		}
		for i, c := range all {
			if c.Name() != fmt.Sprint("request ", i) {
				t.Fatalf("name %d of %d is %q", i, n, c.Name())
			}
		}
		wantOwnNames(t, mc)
		wantSound(t, "with them", mc)
		mc.Delete()
	}
	if more := goHeap() - heap; more > 2<<20 {
		t.Errorf("%d names that are gone take %d bytes of Go's heap", n, more)
	}
	wantOwnNames(t, top)
	wantSound(t, "afterwards", palloc.Top())
}

// TestAStringWhereAnotherWasIsAnotherName makes names whose bytes lie where those of
// forgotten names lay: a cached node of such a name must not be found by the new one.
func TestAStringWhereAnotherWasIsAnotherName(t *testing.T) {
	mc := newRoot(t)
	for round := range 40 {
		for i := range 1500 {
			name := string(fmt.Appendf(nil, "%03d %07d", round, i))
			c := palloc.NewAllocSet(mc, name)
			if got := c.Name(); got != name {
				t.Fatalf("%q is called %q", name, got)
			}
			c.Delete()
			if c = palloc.NewAllocSet(mc, name); c.Name() != name {
				t.Fatalf("%q is called %q the second time", name, c.Name())
			}
			c.Delete()
		}
		runtime.GC()
	}
}

// TestWhatContextsOfANameNeedIsRemembered uses more names than have size hints: a name keeps
// its hint as long as contexts of it are created in between.
func TestWhatContextsOfANameNeedIsRemembered(t *testing.T) {
	mc := newRoot(t)
	use := func() (blocks int64) {
		c := palloc.NewAllocSet(mc, "uses five thousand bytes")
		for range 50 {
			c.Alloc(100)
		}
		blocks = c.Stats().Blocks
		c.Delete()
		return blocks
	}
	for range 5 {
		use()
	}
	for i := range 5000 {
		palloc.NewAllocSet(mc, fmt.Sprint("other ", i)).Delete()
		if i%500 == 0 {
			if blocks := use(); blocks != 1 {
				t.Errorf("after %d other names it needs %d blocks", i, blocks)
			}
		}
	}
}

func TestNamesAndIdentsDoNotForgeLines(t *testing.T) {
	for _, c := range []struct{ text, name, ident string }{
		{"plain täxt €", "plain täxt €", "plain täxt €"},
		{"evil\nGrand total: 0 bytes", `evil\nGrand total: 0 bytes`, "evil Grand total: 0 bytes"},
		{"clear\x1b[2J", `clear\x1b[2J`, "clear [2J"},
		{"\x00\t\r\x1f", `\x00\t\r\x1f`, "    "},
		{"del\x7f", `del\x7f`, `del\x7f`},
		{"c1 \u0085\u009b2J", `c1 \u0085\u009b2J`, `c1 \u0085\u009b2J`},
		{"lines\u2028\u2029", `lines\u2028\u2029`, `lines\u2028\u2029`},
		{"turned \u202e\u2066", `turned \u202e\u2066`, `turned \u202e\u2066`},
		{"no text \xff\xc3", `no text \xff\xc3`, `no text \xff\xc3`},
		{`"quoted" \ back`, `"quoted" \ back`, `"quoted" \ back`},
	} {
		mc := newFresh(t)
		named := palloc.NewAllocSet(mc, c.text)
		named.SetIdent(c.text)
		zeros := ": 0 total in 0 blocks; 0 free (0 chunks); 0 used"
		wantLines(t, named, c.name+zeros+": "+c.ident, "Grand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used")
		if path := named.Path(); path != "Top/test/"+c.name {
			t.Errorf("the path is %q", path)
		}
		var log strings.Builder
		s := palloc.TakeSnapshot(named)
		if err := s.WriteLog(&log); err != nil || !strings.HasPrefix(log.String(), "level: 1; "+c.name+zeros+": "+c.ident+"\n") {
			t.Errorf("the log is %q: %v", log.String(), err)
		}
		if r := s.Rows[0]; r.Name != c.text || r.Ident != c.text || named.Name() != c.text || named.Ident() != c.text {
			t.Errorf("the values are %q and %q", r.Name, r.Ident)
		}
	}
}

func TestThePathOfADeepContextIsItsEnd(t *testing.T) {
	at := newRoot(t)
	for i := range 1000 {
		at = palloc.NewAllocSet(at, fmt.Sprint("level", i))
	}
	path := strings.Split(at.Path(), "/")
	if len(path) != 257 || path[0] != "..." || path[1] != "level744" || path[256] != "level999" {
		t.Errorf("of %d names the first is %q, the last %q", len(path), path[:2], path[len(path)-1])
	}
}

// TestAnIdentIsForgottenWithItsContext: no text stays on Go's heap for contexts that are gone. A short one
// may stay with what is cached.
func TestAnIdentIsForgottenWithItsContext(t *testing.T) {
	const short = 256 // bytes
	var all, long []weak.Pointer[byte]
	mc := palloc.NewAllocSet(newRoot(t), "above")
	for i := range 200 {
		c := palloc.NewBump(mc, "with an ident")
		c.SetIdent(strings.Repeat("ident ", 10+i)) // Go keeps shorter ones together with other objects
		p := weak.Make(unsafe.StringData(c.Ident()))
		if all = append(all, p); len(c.Ident()) > short {
			long = append(long, p)
		}
	}
	mc.Delete()
	areGone(t, long)
	palloc.Trim()
	areGone(t, all)
}

func areGone(t *testing.T, texts []weak.Pointer[byte]) {
	t.Helper()
	runtime.GC()
	for i, p := range texts {
		if p.Value() != nil {
			t.Fatalf("ident %d of %d is still there", i, len(texts))
		}
	}
}

// TestANameThatWasForgottenIsFoundAgain: its number is another name's by then.
func TestANameThatWasForgottenIsFoundAgain(t *testing.T) {
	top := newRoot(t)
	const name, most = "a name that comes back", 1024 // of names that no context has
	texts := palloc.NewBump(top, "texts")             // what is in a context is copied, and not found by its address
	others := func(when string, n int) (list []palloc.Context) {
		for i := range n {
			list = append(list, palloc.NewBump(top, palloc.CloneString(texts, fmt.Sprint(when, i))))
		}
		return list
	}
	palloc.NewBump(top, name).Delete()
	palloc.Trim() // what is cached has its name
	for _, c := range others("before ", most) {
		c.Delete()
	}
	palloc.Trim() // with one more the oldest is forgotten
	list := others("then ", 5000)
	mc := palloc.NewBump(top, name)
	if mc.Name() != name || !strings.HasSuffix(mc.Path(), "/"+name) {
		t.Errorf("the context of %q is %q, at %s", name, mc.Name(), mc.Path())
	}
	for i, c := range list {
		if want := fmt.Sprint("then ", i); c.Name() != want {
			t.Fatalf("the context of %q is %q", want, c.Name())
		}
	}
}
