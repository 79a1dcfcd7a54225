package palloc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Strings: copies of others, and results of Sprintf, each in a chunk of the context.

func TestACloneOfAStringIsACopy(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, n := range []int{1, 8, 9, 1000, 100_000} {
		was := strings.Repeat("ä-", n)
		clone := palloc.CloneString(c, was)
		if clone != was || unsafe.StringData(clone) == unsafe.StringData(was) {
			t.Errorf("the clone of %d bytes differs, or is the original", len(was))
		}
		palloc.FreeString(clone)
	}
	wantEmpty(t, c)
	wantFault(t, func() { palloc.FreeString("constant") }, "Free", "", "belongs to no context")
}

// formats are formats for Sprintf, with their arguments.
var formats = [][]any{
	{"plain"},
	{"%d %5.2f %q %v %x", 42, 3.14159, "quoted", []int{1, 2}, "hex"},
	{"%[2]*[1]d|%-10s|%+v", 7, 12, "left", struct{ A, B int }{1, 2}},
	{"%s", strings.Repeat("ä", 100_000)},
	{"%!", 1},
	{"%d"},
	{"%v", errors.New("an error")},
	{"%v", panicking{}},
}

type panicking struct{}

func (panicking) String() string { panic("no string") }

func TestSprintfIsFmts(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, f := range formats {
			format, args := f[0].(string), f[1:]
			want := fmt.Sprintf(format, args...)
			got := palloc.Sprintf(c, format, args...)
			tried, err := palloc.TrySprintf(c, format, args...)
			if got != want || tried != want || err != nil {
				t.Errorf("%.40q makes %.60q and %.60q, %v; fmt's makes %.60q", format, got, tried, err, want)
			}
			if k != palloc.KindBump {
				if p := unsafe.Pointer(unsafe.StringData(got)); palloc.ContextOf(p) != c {
					t.Errorf("the string lies in %s", palloc.ContextOf(p).Path())
				}
				palloc.FreeString(got)
				palloc.FreeString(tried)
				wantEmpty(t, c)
			}
		}
		if palloc.Sprintf(c, "") != "" || palloc.Sprintf(c, "%s", "") != "" {
			t.Error("nothing makes something")
		}
	})
}

// A nested formats itself with Sprintf.
type nested struct {
	c     palloc.Context
	depth int
}

func (n nested) String() string {
	if n.depth == 0 {
		return "."
	}
	return palloc.Sprintf(n.c, "(%v%v)", nested{n.c, n.depth - 1}, nested{n.c, n.depth - 1})
}

func TestSprintfMayBeNested(t *testing.T) {
	mc := newRoot(t)
	if got := palloc.Sprintf(mc, "%v", nested{mc, 3}); got != "(((..)(..))((..)(..)))" {
		t.Errorf("got %q", got)
	}
}

func TestSprintfRunsOut(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	c.SetLimit(1 << 10)
	long := strings.Repeat("x", 10_000)
	s, err := palloc.TrySprintf(c, "%s", long)
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || s != "" || oom.Op != "TrySprintf" || oom.Size != len(long) {
		t.Errorf("got %d bytes, %v", len(s), err)
	}
	err = asError(func() { palloc.Sprintf(c, "%s", long) })
	if !errors.As(err, &oom) || oom.Op != "Sprintf" {
		t.Errorf("the panic is %v", err)
	}
	if s := palloc.Sprintf(c, "%s", "short"); s != "short" {
		t.Errorf("afterwards it makes %q", s)
	}
}

func TestASlabTakesStringsOfItsSize(t *testing.T) {
	c := palloc.NewSlab(newRoot(t), "c", 8)
	if s := palloc.Sprintf(c, "%08d", 1234567); s != "01234567" {
		t.Errorf("got %q", s)
	}
	wantFault(t, func() { palloc.Sprintf(c, "%07d", 1) }, "Sprintf", "Top/test/c", "8 bytes, not of 7")
	wantFault(t, func() { palloc.TrySprintf(c, "%09d", 1) }, "TrySprintf", "Top/test/c", "8 bytes, not of 9")
}

func TestSprintfNoticesThatItsContextEnds(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	ending := stringer(func() string { c.Delete(); return "gone" })
	wantFault(t, func() { palloc.Sprintf(c, "%v", ending) }, "Sprintf", "c", "deleted")
}

type stringer func() string

func (s stringer) String() string { return s() }

func TestSprintfMakesNoGarbage(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		args := []any{int64(1 << 40), "text"}
		do := func() {
			palloc.Sprintf(c, "%d and %s, %[2]q", args...)
			c.Reset()
		}
		for range 100 {
			do()
		}
		if n := testing.AllocsPerRun(200, do); n != 0 {
			t.Errorf("%v objects on Go's heap each time", n)
		}
	})
}

// A panicky is an argument whose method panics.
type panicky struct{}

func (panicky) Format(fmt.State, rune) { panic("alas") }

// TestAFormatterThatPanicsIsInTheText expects the same text as fmt's.
func TestAFormatterThatPanicsIsInTheText(t *testing.T) {
	mc := newRoot(t)
	const format = "%v|%s"
	if got, want := palloc.Sprintf(mc, format, panicky{}, "s"), fmt.Sprintf(format, panicky{}, "s"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b := palloc.NewBuffer(mc)
	fmt.Fprintf(b, format, panicky{}, "s")
	if want := fmt.Sprintf(format, panicky{}, "s"); b.String() != want {
		t.Errorf("the Buffer has %q, want %q", b, want)
	}
}
