package palloc_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The text of Faults: the context, its kind and ident, and what lies around the address.

// headed create the contexts whose chunks have headers.
var headed = []struct {
	kind palloc.Kind
	make func(parent palloc.Context) palloc.Context
}{
	{palloc.KindAllocSet, growers[0].make},
	{palloc.KindGeneration, growers[1].make},
	{palloc.KindAllocSet, growers[3].make},
	{palloc.KindSlab, func(p palloc.Context) palloc.Context { return palloc.NewSlab(p, "c", 64) }},
}

// neighbours returns chunks of 64 bytes, one behind the other.
func neighbours(t *testing.T, c palloc.Context, n int) (list []unsafe.Pointer) {
	t.Helper()
	for range 1000 {
		p := c.Alloc(64)
		if len(list) > 0 && uintptr(p)-uintptr(list[len(list)-1]) != 72 {
			list = nil
		}
		if list = append(list, p); len(list) == n {
			return list
		}
	}
	t.Fatal("no chunks are neighbours")
	return nil
}

func TestAFaultNamesTheChunkAroundTheAddress(t *testing.T) {
	for _, h := range headed {
		c := h.make(newRoot(t))
		c.SetIdent("acme")
		list := neighbours(t, c, 4)
		palloc.FreePointer(list[3])
		for i, p := range list {
			for _, off := range []int{8, 24, 56} {
				f := faultOf(t, func() { palloc.FreePointer(unsafe.Add(p, off)) })
				want := fmt.Sprintf("%d bytes inside of the chunk at %#x, of 64 bytes", off, uintptr(p))
				if f == nil || !strings.Contains(f.Reason, want) || f.Ident != "acme" || f.Kind != h.kind || f.Context != "Top/test/c" {
					t.Errorf("%v, %d: the Fault is %+v; want %q", h.kind, i, f, want)
				}
				if f != nil && !strings.HasSuffix(f.Error(), `(context "Top/test/c", ident "acme")`) {
					t.Errorf("the text is %q", f.Error())
				}
			}
		}
		if h.kind == palloc.KindSlab {
			continue
		}
		large := c.Alloc(20_000)
		f := faultOf(t, func() { palloc.FreePointer(unsafe.Add(large, 4096)) })
		if want := fmt.Sprintf("4096 bytes inside of the chunk at %p", large); f == nil || !strings.Contains(f.Reason, want) {
			t.Errorf("%v: the Fault is %+v; want %q", h.kind, f, want)
		}
	}
}

// TestAnOverflowIsNamedWithTheChunkThatItCameFrom frees the next chunk, whose header was
// overwritten: the Fault names the chunk before it.
func TestAnOverflowIsNamedWithTheChunkThatItCameFrom(t *testing.T) {
	for _, h := range headed {
		for _, over := range []struct {
			n int
			b byte
		}{{1, 0xff}, {2, 0xff}, {8, 'A'}, {8, 0}, {32, 'A'}, {32, 0xff}} {
			c := h.make(newRoot(t))
			list := neighbours(t, c, 3)
			header := bytesAt(unsafe.Add(list[0], 64), over.n)
			was := string(header)
			for i := range header {
				header[i] = over.b
			}
			for op, call := range map[string]func(){
				"FreePointer": func() { palloc.FreePointer(list[1]) }, "Realloc": func() { palloc.Realloc(list[1], 500) },
				"UsableSize": func() { palloc.UsableSize(list[1]) }, "ContextOf": func() { palloc.ContextOf(list[1]) },
			} {
				f := faultOf(t, call)
				want := fmt.Sprintf("overwritten, from the chunk at %p, whose 64 bytes end before it", list[0])
				if f == nil || f.Op != op || !strings.Contains(f.Reason, "not the start of a") || !strings.Contains(f.Reason, want) {
					t.Errorf("%v, %d bytes %#x: the Fault of %s is %+v; want %q", h.kind, over.n, over.b, op, f, want)
				}
			}
			copy(header, was)
			palloc.FreePointer(list[1])
		}
	}
}

func TestANegativeSizeIsNamedAsItWasGiven(t *testing.T) {
	mc := newRoot(t)
	for size, want := range map[int]string{
		-1: "a size of -1 bytes is not a size: it is negative", math.MinInt: "is not a size: it is negative", math.MaxInt: "is not a size: the largest is ",
	} {
		f := faultOf(t, func() { mc.Alloc(size) })
		if f == nil || !strings.Contains(f.Reason, want) || f.Kind != palloc.KindAllocSet {
			t.Errorf("%d: the Fault is %+v", size, f)
		}
	}
}

// TestAFaultSaysWhoseAndWhat makes the most frequent mistakes, and looks for the words that
// explain each.
func TestAFaultSaysWhoseAndWhat(t *testing.T) {
	tenant := palloc.NewAllocSet(newRoot(t), "tenant")
	q, bump, slab := palloc.NewAllocSet(tenant, "query"), palloc.NewBump(tenant, "rows"), palloc.NewSlab(tenant, "nodes", 64)
	q.SetIdent("17")
	bump.SetIdent("18")
	const path = "Top/test/tenant/"
	for _, m := range []struct {
		what         string
		do           func()
		where, ident string
		words        []string
	}{
		{"a double free", func() { x := q.Alloc(100); palloc.FreePointer(x); palloc.FreePointer(x) }, path + "query", "17", []string{"already free"}},
		{"FreeSlice(s[1:])", func() { palloc.FreeSlice(palloc.MakeSlice[uint64](q, 8, 8)[1:]) }, path + "query", "17", []string{"not the start", "8 bytes inside of the chunk at"}},
		{"a constant", func() { palloc.FreeString("constant") }, "", "", []string{"belongs to no context"}},
		{"free after Reset", func() { x := q.Alloc(8); q.Reset(); palloc.FreePointer(x) }, path + "query", "17", []string{"taken back when its context was reset"}},
		{"a deleted context", func() { c := palloc.NewAllocSet(q, "step"); c.Delete(); c.Alloc(8) }, "step", "", []string{"was deleted"}},
		{"a wrong size", func() { palloc.New[[3]uint64](slab) }, path + "nodes", "", []string{"64 bytes, not of 24"}},
		{"free in a Bump", func() { palloc.Free(palloc.New[uint64](bump)) }, path + "rows", "18", []string{"none can be freed"}},
		{"a Go pointer", func() { palloc.New[struct{ a, b *int }](q) }, "", "", []string{"NoHeapPointers"}},
	} {
		f := faultOf(t, m.do)
		if f == nil || f.Context != m.where || f.Ident != m.ident {
			t.Errorf("%s: the Fault is %+v", m.what, f)
			continue
		}
		wantText(t, f)
		for _, w := range m.words {
			if !strings.Contains(f.Error(), w) {
				t.Errorf("%s: the text lacks %q: %s", m.what, w, f.Error())
			}
		}
	}
}
