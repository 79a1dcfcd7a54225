package palloc_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
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

func TestCloneStringTakesBytes(t *testing.T) {
	type name string
	type raw []byte
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, n := range []int{0, 1, 8, 9, 1000, 100_000} {
		want := strings.Repeat("x", n)
		b := []byte(want)
		all := []string{palloc.CloneString(c, b), palloc.CloneString(c, raw(b)), palloc.CloneString(c, name(want))}
		tried, err := palloc.TryCloneString(c, b[:n:n])
		if all = append(all, tried); err != nil {
			t.Error(err)
		}
		clear(b)
		for _, s := range all {
			if s != want {
				t.Errorf("%d bytes became %.20q", n, s)
			}
			palloc.FreeString(s)
		}
	}
	if palloc.CloneString(c, []byte(nil)) != "" {
		t.Error("nothing became something")
	}
	wantEmpty(t, c)
}

// TestTextsOfAllLengthsAreWhole copies texts between chunks, and checks that these keep their
// content.
func TestTextsOfAllLengthsAreWhole(t *testing.T) {
	contents := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 300)
	whole := func(t *testing.T, c palloc.Context) {
		for n := 0; n < 10_000; n += 1 + n/40 {
			before, s := bytesAt(c.Alloc(16), 16), contents[n%36:][:n]
			scribble(before, n)
			clone, text := palloc.CloneString(c, s), palloc.NewText(c, []byte(s))
			after := bytesAt(c.Alloc(16), 16)
			scribble(after, n+1)
			if tried, err := palloc.TryNewText(c, s); err != nil || clone != s || text.String() != s || tried.String() != s {
				t.Fatalf("%d bytes became %.20q, %.20q and %.20q, %v", n, clone, text, tried, err)
			}
			if !scribbled(before, n) || !scribbled(after, n+1) {
				t.Fatalf("a text of %d bytes has written to another chunk", n)
			}
			if c.Kind().Frees() {
				palloc.FreeString(clone)
				palloc.FreeString(text.String())
			}
		}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		whole(t, c)
		whole(t, c) // takes freed chunks, where there are any
	})
	t.Run("Shared", func(t *testing.T) { whole(t, palloc.NewAllocSet(newRoot(t), "c", palloc.Shared())) })
}

func TestTextsInACriticalSection(t *testing.T) {
	c := palloc.NewBump(newRoot(t), "c")
	c.Alloc(8)
	defer c.EnterCritical()()
	if s := palloc.CloneString(c, "fits the block"); s != "fits the block" {
		t.Errorf("it is %q", s)
	}
	long := strings.Repeat("x", 20_000)
	wantFault(t, func() { palloc.CloneString(c, long) }, "CloneString", c.Path(), "critical section")
	wantFault(t, func() { palloc.TryCloneString(c, long) }, "TryCloneString", c.Path(), "critical section")
	wantFault(t, func() { palloc.NewText(c, long) }, "NewText", c.Path(), "critical section")
}

// An appender is a function of strconv, and palloc's, with the same arguments.
type appender struct {
	name  string
	std   func(b []byte) []byte
	here  func(mc palloc.Context, b []byte) []byte
	tried func(mc palloc.Context, b []byte) ([]byte, error)
}

func appendString(s string) appender {
	return appender{"AppendString", func(b []byte) []byte { return append(b, s...) },
		func(mc palloc.Context, b []byte) []byte { return palloc.AppendString(mc, b, s) },
		func(mc palloc.Context, b []byte) ([]byte, error) { return palloc.TryAppendString(mc, b, s) }}
}

func appendInt(i int64, base int) appender {
	return appender{"AppendInt", func(b []byte) []byte { return strconv.AppendInt(b, i, base) },
		func(mc palloc.Context, b []byte) []byte { return palloc.AppendInt(mc, b, i, base) },
		func(mc palloc.Context, b []byte) ([]byte, error) { return palloc.TryAppendInt(mc, b, i, base) }}
}

func appendUint(i uint64, base int) appender {
	return appender{"AppendUint", func(b []byte) []byte { return strconv.AppendUint(b, i, base) },
		func(mc palloc.Context, b []byte) []byte { return palloc.AppendUint(mc, b, i, base) },
		func(mc palloc.Context, b []byte) ([]byte, error) { return palloc.TryAppendUint(mc, b, i, base) }}
}

func appendFloat(f float64, format byte, precision, bits int) appender {
	return appender{"AppendFloat", func(b []byte) []byte { return strconv.AppendFloat(b, f, format, precision, bits) },
		func(mc palloc.Context, b []byte) []byte { return palloc.AppendFloat(mc, b, f, format, precision, bits) },
		func(mc palloc.Context, b []byte) ([]byte, error) {
			return palloc.TryAppendFloat(mc, b, f, format, precision, bits)
		}}
}

func appendQuote(s string) appender {
	return appender{"AppendQuote", func(b []byte) []byte { return strconv.AppendQuote(b, s) },
		func(mc palloc.Context, b []byte) []byte { return palloc.AppendQuote(mc, b, s) },
		func(mc palloc.Context, b []byte) ([]byte, error) { return palloc.TryAppendQuote(mc, b, s) }}
}

// appenders returns calls with ordinary and extreme arguments.
func appenders() (all []appender) {
	for _, base := range []int{2, 10, 36} {
		for _, i := range []int64{0, -1, 99, 1 << 40, math.MinInt64, math.MaxInt64} {
			all = append(all, appendInt(i, base), appendUint(uint64(i), base))
		}
	}
	for _, f := range []float64{0, -1.5, 1e-7, 5e-324, -1.7976931348623157e308, 2.2250738585072014e-308, 0x1.fffffffffffffp-1022, math.Inf(-1), math.NaN()} {
		for _, format := range []byte("befgxG") {
			for _, precision := range []int{-1, 0, 3, 32, 33, 800} {
				all = append(all, appendFloat(f, format, precision, 64), appendFloat(f, format, precision, 32))
			}
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		all = append(all, appendQuote(anyText(r)))
	}
	for _, s := range []string{"", "plain", "\"quoted\"", "\x00\xff", strings.Repeat("\x80", 200), strings.Repeat("\U0010ffff", 100), strings.Repeat("x", 10_000)} {
		all = append(all, appendQuote(s), appendString(s))
	}
	return all
}

// anyText returns a text of some runes of every length, and of bytes that are no runes.
func anyText(r *rand.Rand) string {
	pieces := []string{"a", "\"", "\x00", "\xff", "\x80", "ä", "\u200b", "日", "\xe6\x97", "😀", "\U000e0001", "\xf0\x9f\x98"}
	var b strings.Builder
	for range r.IntN(200) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestAppendsAreStrconvs(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, a := range appenders() {
			want := string(a.std([]byte("head: ")))
			for _, room := range []int{6, 8, 70, 20_000} {
				begin := append(palloc.Grow[byte](c, nil, room), "head: "...)
				if got := a.here(c, begin); string(got) != want || !lies(c, got) {
					t.Fatalf("%s appends %q, strconv's %q", a.name, got, want)
				}
				begin = append(palloc.Grow[byte](c, nil, room), "head: "...)
				if got, err := a.tried(c, begin); string(got) != want || err != nil || !lies(c, got) {
					t.Fatalf("Try%s appends %q, %v, strconv's %q", a.name, got, err, want)
				}
			}
			if got := a.here(c, nil); string(got) != want[6:] || len(got) > 0 && !lies(c, got) {
				t.Fatalf("%s appends %q to nothing, strconv's %q", a.name, got, want[6:])
			}
			c.Reset()
		}
	})
}

// lies reports whether bytes are in a chunk of a context, as far as its kind can tell.
func lies(c palloc.Context, b []byte) bool {
	return c.Kind() == palloc.KindBump || palloc.ContextOf(unsafe.Pointer(unsafe.SliceData(b))) == c
}

func TestAppendsRunOut(t *testing.T) {
	long := strings.Repeat("\x00", 10_000)
	for _, a := range []appender{appendString(long), appendQuote(long), appendFloat(1, 'f', 10_000, 64)} {
		c := palloc.NewAllocSet(newRoot(t), "c")
		b := palloc.AppendString(c, nil, "kept")
		c.SetLimit(2 << 10)
		got, err := a.tried(c, b)
		var oom *palloc.OutOfMemoryError
		if !errors.As(err, &oom) || string(got) != "kept" || unsafe.SliceData(got) != unsafe.SliceData(b) || oom.Op != "Try"+a.name {
			t.Errorf("Try%s returns %q, %v", a.name, got, err)
		}
		if err = asError(func() { a.here(c, b) }); !errors.As(err, &oom) || oom.Op != a.name {
			t.Errorf("%s panics with %v", a.name, err)
		}
	}
	for _, a := range []appender{appendInt(-7, 10), appendUint(7, 2)} {
		c := palloc.NewAllocSet(newRoot(t), "c")
		full := palloc.MakeSlice[byte](c, 100_000, 100_000)
		c.SetLimit(c.Held())
		var oom *palloc.OutOfMemoryError
		if got, err := a.tried(c, full); !errors.As(err, &oom) || len(got) != len(full) || oom.Op != "Try"+a.name {
			t.Errorf("Try%s returns %v", a.name, err)
		}
	}
}

// A stringHeader is a string of which only the length is read.
type stringHeader struct {
	data *byte
	len  int
}

func TestJoinStringsIsStringsJoin(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, list := range [][]string{nil, {""}, {"", ""}, {"one"}, {"a", "", "ccc"}, {strings.Repeat("x", 100_000), "y"}} {
			for _, sep := range []string{"", ", "} {
				got, want := palloc.JoinStrings(c, list, sep), strings.Join(list, sep)
				if tried, err := palloc.TryJoinStrings(c, list, sep); got != want || tried != want || err != nil {
					t.Errorf("%.20q and %.20q, %v; strings.Join makes %.20q", got, tried, err, want)
				}
			}
		}
		c.SetLimit(2 << 10)
		var oom *palloc.OutOfMemoryError
		if s, err := palloc.TryJoinStrings(c, []string{strings.Repeat("x", 300_000)}, ""); s != "" || !errors.As(err, &oom) || oom.Op != "TryJoinStrings" {
			t.Errorf("got %d bytes, %v", len(s), err)
		}
	})
	huge := make([]string, 1<<16)
	for i := range huge {
		huge[i] = *(*string)(unsafe.Pointer(&stringHeader{new(byte), math.MaxInt / 2}))
	}
	c := newRoot(t)
	wantFault(t, func() { palloc.JoinStrings(c, huge, "") }, "JoinStrings", "Top/test", "")
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

func TestStringsMakeNoGarbage(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		args := []any{int64(1 << 40), "text"}
		list := []string{"one", "two"}
		all := []appender{appendString("text"), appendInt(-1<<40, 10), appendUint(1<<40, 2), appendFloat(math.Pi, 'g', -1, 64),
			appendFloat(1e300, 'f', 500, 64), appendQuote(strings.Repeat("\x00", 500))}
		var b []byte
		do := func() {
			palloc.Sprintf(c, "%d and %s, %[2]q", args...)
			for _, a := range all {
				b = a.here(c, b)
				b, _ = a.tried(c, b)
			}
			palloc.CloneString(c, b)
			palloc.JoinStrings(c, list, ", ")
			b = nil
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
