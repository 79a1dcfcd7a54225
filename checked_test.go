package palloc_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Checked contexts. The fault matrix has one cell for each misuse; here is what else they promise.

// row is a row of a query, whose name should lie in a context.
type row struct {
	palloc.NoHeapPointers
	id   uint64
	name string
	next *row
}

// faultsOf returns the Faults that Check joined.
func faultsOf(err error) (all []*palloc.Fault) {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, faultsOf(e)...)
		}
		return all
	}
	var f *palloc.Fault
	if errors.As(err, &f) {
		all = append(all, f)
	}
	return all
}

// TestAForgottenCloneStringIsFound: of a thousand rows one has its name on Go's heap.
func TestAForgottenCloneStringIsFound(t *testing.T) {
	if why := needsHeapWindow(nil); why != "" {
		t.Skip(why)
	}
	mc := palloc.NewAllocSet(palloc.Top(), "rows", palloc.Checked())
	defer mc.Delete()
	rows := palloc.Grow[row](mc, nil, 1000)[:1000]
	for i := range rows {
		rows[i].name = palloc.CloneString(mc, strings.Repeat("n", i%20))
	}
	if err := mc.Check(); err != nil {
		t.Fatal(err)
	}
	rows[500].name = strings.Repeat("x", 30)
	_, _, line, _ := runtime.Caller(0)
	all := faultsOf(mc.Check())
	if len(all) != 1 || all[0].Mistake != palloc.WrongPointer {
		t.Fatalf("Check finds %v", all)
	}
	for _, part := range []string{"[500] of palloc_test.row.name", "Go's heap", "checked_test.go"} {
		if !strings.Contains(all[0].Error(), part) {
			t.Errorf("the text lacks %q: %v", part, all[0])
		}
	}
	if made := all[0].Made[0].Line; made < line-15 || made > line {
		t.Errorf("made at line %d, Check is called at %d", made, line)
	}
}

// TestAllOfGosHeapIsTold: pointers to each of many large objects are found, wherever Go's heap began.
func TestAllOfGosHeapIsTold(t *testing.T) {
	if why := needsHeapWindow(nil); why != "" {
		t.Skip(why)
	}
	mc := palloc.NewAllocSet(palloc.Top(), "linked", palloc.Checked())
	defer mc.Delete()
	var objects [32]*[4 << 20]byte // none is written to
	for i := range objects {
		objects[i] = new([4 << 20]byte)
		l := palloc.New[matrixLinked](mc)
		l.p = (*[64]byte)(objects[i][len(objects[i])-64:])
		if all := faultsOf(mc.Check()); len(all) != 1 || !strings.Contains(all[0].Error(), "leads to Go's heap") {
			t.Fatalf("of object %d at %p Check finds %v", i, objects[i], all)
		}
		l.p = (*[64]byte)(unsafe.Pointer(palloc.New[matrixLinked](mc)))
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
	}
	l := palloc.New[matrixLinked](mc)
	l.p = (*[64]byte)(unsafe.Pointer(&checkedStatic))
	if err := mc.Check(); err != nil {
		t.Errorf("of a pointer to a variable of the program Check finds %v", err)
	}
}

// checkedStatic is no part of Go's heap, and has no pointer to it.
var checkedStatic [64]byte

// TestPointersToWhatEndsBefore are found while it lives, and once it is gone.
func TestPointersToWhatEndsBefore(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "long", palloc.Checked())
	defer mc.Delete()
	short := palloc.NewBump(mc, "short")
	r := palloc.New[row](mc)
	r.next = palloc.New[row](mc)
	if err := mc.Check(); err != nil {
		t.Fatal(err)
	}
	r.next = palloc.New[row](short)
	all := faultsOf(mc.Check())
	if len(all) != 1 || !strings.Contains(all[0].Error(), "row.next") || !strings.Contains(all[0].Error(), `"Top/long/short", which ends before`) {
		t.Errorf("Check finds %v", all)
	}
	short.Delete()
	all = faultsOf(mc.Check())
	if len(all) != 1 || !strings.Contains(all[0].Error(), "deleted by Context.Delete at") {
		t.Errorf("Check finds %v", all)
	}
	r.next = nil
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// noPageFaults says why page faults cannot be explained here, "" if they can.
var noPageFaults = sync.OnceValue(func() (why string) {
	if !osmem.Current().Protects() {
		return "contexts are on Go's heap here, which cannot be protected"
	}
	mc := palloc.NewAllocSet(palloc.Top(), "probe", palloc.Checked("guard"))
	defer func() {
		if r := recover(); palloc.AsFault(r) == nil {
			why = "page faults have no address here, as under qemu-arm"
		}
		mc.Delete()
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	sampledByte = *(*byte)(unsafe.Add(mc.Alloc(8), 8))
	return ""
})

// mustProtect skips a test where memory cannot be protected.
func mustProtect(t *testing.T) {
	if why := noPageFaults(); why != "" {
		t.Skip(why)
	}
}

// TestAnAccessAfterTheResetIsExplained reads memory that a reset took back.
func TestAnAccessAfterTheResetIsExplained(t *testing.T) {
	mustBePlain(t)
	mustProtect(t)
	mc := palloc.NewAllocSet(palloc.Top(), "access", palloc.Checked("guard"))
	defer mc.Delete()
	s := palloc.CloneString(mc, strings.Repeat("x", 60))
	mc.Reset()
	var seen []*palloc.Fault
	defer palloc.OnFault(func(f *palloc.Fault) { seen = append(seen, f) })()
	f := faultOf(t, func() {
		defer palloc.ExplainFaults()()
		t.Log(s[5])
	})
	if f == nil || f.Mistake != palloc.AccessAfterEnd || len(seen) != 1 || seen[0] != f || f.Context != "Top/access" {
		t.Fatalf("the Fault is %+v, and OnFault was told %v", f, seen)
	}
	where := "at offset 5"
	if runtime.GOARCH == "s390x" {
		where = "in the page at" // all that a page fault tells there
	}
	for _, part := range []string{"60 bytes, made by CloneString at", "reset by Context.Reset at", where} {
		if !strings.Contains(f.Reason, part) {
			t.Errorf("the reason lacks %q: %s", part, f.Reason)
		}
	}
	if !strings.HasSuffix(f.Call[0].Function, "TestAnAccessAfterTheResetIsExplained.func2") {
		t.Errorf("the access was in %s", f.Call[0].Function)
	}
}

// TestAWriteDownToTheBlocksBeginningIsExplained: it is the first chunk's underflow, also when the bytes written are those
// that were there.
func TestAWriteDownToTheBlocksBeginningIsExplained(t *testing.T) {
	mustBePlain(t)
	mustProtect(t)
	if asan.Enabled {
		t.Skip("AddressSanitizer ends the program at the store")
	}
	for _, with := range []byte{0, 0xff} {
		mc := palloc.NewAllocSet(palloc.Top(), "down", palloc.Checked())
		p := mc.Alloc(40)
		mc.Alloc(40)
		f := faultOf(t, func() {
			defer palloc.ExplainFaults()()
			for off := 1; off < 1<<20; off++ {
				*(*byte)(unsafe.Add(p, -off)) = with
			}
		})
		if f == nil || f.Mistake != palloc.Underflow || f.Chunk != uintptr(p) || !strings.Contains(f.Reason, "down to that of the block") {
			t.Errorf("written down with %#x: the Fault is %+v", with, f)
		}
		if f := faultOf(t, mc.Delete); f == nil || f.Chunk != uintptr(p) {
			t.Errorf("written down with %#x: Delete's Fault is %+v", with, f)
		}
	}
}

func TestExplainFaultsPassesOnOtherPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "mine" || palloc.AsFault(r) != nil {
			t.Errorf("recovered %v", r)
		}
	}()
	defer palloc.ExplainFaults()()
	panic("mine")
}

// TestAStoppedObserverIsToldNothing, and the others still are.
func TestAStoppedObserverIsToldNothing(t *testing.T) {
	var first, second int
	stop := palloc.OnFault(func(*palloc.Fault) { first++ })
	defer palloc.OnFault(func(*palloc.Fault) { second++ })()
	misuse := func() { palloc.FreePointer(nil) }
	faultOf(t, misuse)
	stop()
	faultOf(t, misuse)
	if first != 1 || second != 2 {
		t.Errorf("told %d and %d times", first, second)
	}
	wantFault(t, func() { palloc.OnFault(nil) }, "OnFault", "", "nil")
}

func TestChecksThatDoNotExistAreAFault(t *testing.T) {
	for _, checks := range []string{"chekced", "sample=0", "sample=x", "sample"} {
		wantFault(t, func() { palloc.Checked(checks) }, "Checked", "", checks)
	}
}

// TestTheSubtreeIsChecked: what is created below a checked context is, and nothing beside it.
func TestTheSubtreeIsChecked(t *testing.T) {
	mustBePlain(t)
	root := palloc.NewAllocSet(palloc.Top(), "plain")
	defer root.Delete()
	mc := palloc.NewGeneration(root, "checked", palloc.Checked())
	for _, k := range []struct {
		kind palloc.Kind
		make func(palloc.Context, string, ...palloc.Option) palloc.Context
	}{{palloc.KindAllocSet, palloc.NewAllocSet}, {palloc.KindGeneration, palloc.NewGeneration}, {palloc.KindBump, palloc.NewBump}} {
		for _, parent := range []palloc.Context{root, mc} {
			for range 2 { // the second one could take the node of the first
				c := k.make(parent, "child")
				if c.IsChecked() != (parent == mc) || c.Kind() != k.kind {
					t.Errorf("below %q a %v is checked: %v", parent.Path(), c.Kind(), c.IsChecked())
				}
				c.Delete()
			}
		}
	}
	if c := palloc.NewAllocSet(mc, "shared", palloc.Shared()); !c.IsShared() || !c.IsChecked() {
		t.Error("a Shared context below a checked one is not both")
	}
}

// TestLiveChunksAreGroupedByLine: a thousand of one line, and one of another.
func TestLiveChunksAreGroupedByLine(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "live", palloc.Checked())
	defer mc.Delete()
	for range 1000 {
		mc.Alloc(64)
	}
	palloc.NewSlab(mc, "below", 16).Alloc(16)
	palloc.FreePointer(mc.Alloc(64))
	all := palloc.LiveChunks(mc)
	if len(all) != 2 || all[0].Count != 1000 || all[0].Size != 64 || all[1].Count != 1 || all[1].Context != "Top/live/below" {
		t.Fatalf("the live chunks are %v", all)
	}
	var text strings.Builder
	if err := palloc.WriteLeaks(&text, mc); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`1 × "below"`, "created at checked_test.go:", "1000 chunks of 64 bytes in \"Top/live\", made at "} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the leaks lack %q:\n%s", part, text.String())
		}
	}
}

// TestBadSettingsEndTheProgram with one line and exit status 2.
func TestBadSettingsEndTheProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip("this system does not name the test's own program: ", err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "PALLOCDEBUG=redzones")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Fatalf("the program accepts the settings, and prints\n%s", out)
	case !errors.As(err, &exit):
		t.Skip("this program cannot start itself: ", err)
	}
	if exit.ExitCode() != 2 || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), `no check is called "redzones"`) {
		t.Errorf("exit status %d, and\n%s", exit.ExitCode(), out)
	}
}

// A checked Bump's chunks have headers, but cannot be resized either.
func TestABufferGrowsInACheckedBump(t *testing.T) {
	b := palloc.NewBuffer(palloc.NewBump(newRoot(t), "c", palloc.Checked()))
	for range 200 {
		b.WriteString("some text")
	}
	if want := strings.Repeat("some text", 200); b.String() != want {
		t.Errorf("%d bytes, want %d", b.Len(), len(want))
	}
	wantFault(t, b.Free, "Buffer.Free", "Top/test/c", "can be freed")
}

// TestTheGapBeforeAnAlignedChunk is looked at: a chunk that was written to beyond its end is named, however far the
// next one is, and so is an aligned one that was written to before its beginning.
func TestTheGapBeforeAnAlignedChunk(t *testing.T) {
	if asan.Enabled {
		t.Skip("the sanitizer ends the program at the write")
	}
	for name, look := range map[string]func(mc palloc.Context, a, b unsafe.Pointer) *palloc.Fault{
		"Free": func(mc palloc.Context, a, b unsafe.Pointer) *palloc.Fault {
			return faultOf(t, func() { palloc.FreePointer(b) })
		},
		"Check": func(mc palloc.Context, a, b unsafe.Pointer) *palloc.Fault { return onlyFault(t, mc.Check()) },
		"Reset": func(mc palloc.Context, a, b unsafe.Pointer) *palloc.Fault { return faultOf(t, mc.Reset) },
	} {
		for _, over := range []bool{true, false} {
			mc := palloc.NewAllocSet(palloc.Top(), "gap", palloc.Checked())
			var a, b unsafe.Pointer
			for uintptr(b)-uintptr(a) <= 48+16 { // a slot of 48 bytes, and the words before the next chunk
				mc.Alloc(8)
				a, b = mc.Alloc(40), mc.AllocAligned(64, 64)
			}
			want, chunk := palloc.Overflow, a
			if over {
				for i := uintptr(40); i < uintptr(b)-uintptr(a)-4; i++ {
					*(*byte)(unsafe.Add(a, i)) = 7
				}
			} else {
				want, chunk = palloc.Underflow, b
				*(*byte)(unsafe.Add(b, -17)) = 7
			}
			f := look(mc, a, b)
			if f == nil || f.Mistake != want || f.Chunk != uintptr(chunk) {
				t.Errorf("%s: %v of the chunk at %p is found as %v", name, want, chunk, f)
			}
			if err := mc.Check(); err != nil {
				t.Errorf("%s: found again: %v", name, err)
			}
			mc.Delete()
		}
	}
}

// onlyFault returns the only Fault that Check joined, nil if there are more.
func onlyFault(t *testing.T, err error) *palloc.Fault {
	all := faultsOf(err)
	if len(all) != 1 {
		t.Errorf("Check finds %v", all)
		return nil
	}
	return all[0]
}

// TestAMinusLeavesACheckOut: before any other word it means all checks but that.
func TestAMinusLeavesACheckOut(t *testing.T) {
	if asan.Enabled {
		t.Skip("the sanitizer ends the program at the write")
	}
	for _, words := range [][]string{{"-stacks"}, {"checked", "-stacks"}, {"-stacks", "-owner"}, {"redzone"}} {
		mc := palloc.NewAllocSet(newRoot(t), "some checks", palloc.Checked(words...))
		p := mc.Alloc(20)
		*(*byte)(unsafe.Add(p, 20)) = 'A'
		f := faultOf(t, func() { palloc.FreePointer(p) })
		if f == nil || f.Mistake != palloc.Overflow || len(f.Made) != 0 {
			t.Errorf("%q: an overflow is reported as %v", words, f)
		}
	}
}
