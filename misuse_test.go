package palloc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Misuse: for every mistake a program gets a *Fault that names the mistake and the context,
// and the tree works as before.

// faultOf returns the Fault that f panics with, nil when f returns. Any other panic fails
// the test.
func faultOf(t *testing.T, f func()) (fault *palloc.Fault) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if err, ok := r.(error); r != nil && (!ok || !errors.As(err, &fault)) {
			t.Errorf("a panic that is no *Fault: %v", r)
		}
	}()
	f()
	return nil
}

// wantFault checks that f panics with a Fault: op is part of its Op, where is its Context,
// and its Reason contains one of the alternatives of reason, which "|" separates.
func wantFault(t *testing.T, f func(), op, where, reason string) {
	t.Helper()
	fault := faultOf(t, f)
	if fault == nil {
		t.Errorf("no Fault; want one of %s that says %q", op, reason)
		return
	}
	if !strings.Contains(fault.Op, op) || fault.Context != where || !saysOneOf(fault.Reason, reason) {
		t.Errorf("the Fault is %+v; want one of %s in context %q that says %q", *fault, op, where, reason)
	}
	wantText(t, fault)
}

// wantText checks the text of a Fault: one line, with all its fields.
func wantText(t *testing.T, f *palloc.Fault) {
	t.Helper()
	text := f.Error()
	parts := []string{"palloc: " + f.Op, f.Reason, f.Context}
	if f.Address != 0 {
		parts = append(parts, fmt.Sprintf("(%#x)", f.Address))
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("the text of the Fault lacks %q: %s", part, text)
		}
	}
	if strings.ContainsAny(text, "\n\r") || f.Reason == "" {
		t.Errorf("the text of the Fault is not one line: %q", text)
	}
}

func saysOneOf(text, words string) bool {
	for word := range strings.SplitSeq(words, "|") {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// wantOrder checks that the tree below mc works: a context of every kind allocates, frees
// and is deleted, and the statistics are then as before.
func wantOrder(t *testing.T, mc palloc.Context) {
	t.Helper()
	held, children := mc.TreeHeld(), count(mc)
	for _, k := range kinds {
		c := newKind(mc, k, "order", 40)
		a, b := bytesAt(c.Alloc(40), 40), bytesAt(c.Alloc(40), 40)
		scribble(a, 1)
		scribble(b, 2)
		if !scribbled(a, 1) || c.Stats().Used < 80 {
			t.Errorf("afterwards %v miscounts: %+v", k, c.Stats())
		}
		if k != palloc.KindBump {
			palloc.FreePointer(unsafe.Pointer(&a[0]))
		}
		c.Reset()
		c.Delete()
	}
	if mc.TreeHeld() != held || count(mc) != children {
		t.Errorf("afterwards the tree holds %d bytes, not %d", mc.TreeHeld(), held)
	}
}

// frees are the ways to free a chunk, to resize it, or to ask about it, each with the Op of
// its Faults.
var frees = []struct {
	op   string
	call func(p unsafe.Pointer)
}{
	{"Free", palloc.FreePointer},
	{"Free", func(p unsafe.Pointer) { palloc.Free((*byte)(p)) }},
	{"Free", func(p unsafe.Pointer) { palloc.FreeSlice(unsafe.Slice((*byte)(p), 1)) }},
	{"Free", func(p unsafe.Pointer) { palloc.FreeString(unsafe.String((*byte)(p), 1)) }},
	{"Realloc", func(p unsafe.Pointer) { palloc.Realloc(p, 64) }},
	{"TryRealloc", func(p unsafe.Pointer) { palloc.TryRealloc(p, 64) }},
	{"ReallocArray", func(p unsafe.Pointer) { palloc.ReallocArray(p, 8, 8) }},
	{"TryReallocArray", func(p unsafe.Pointer) { palloc.TryReallocArray(p, 8, 8) }},
	{"ReallocZeroed", func(p unsafe.Pointer) { palloc.ReallocZeroed(p, 0, 64) }},
	{"TryReallocZeroed", func(p unsafe.Pointer) { palloc.TryReallocZeroed(p, 0, 64) }},
	{"UsableSize", func(p unsafe.Pointer) { palloc.UsableSize(p) }},
	{"Footprint", func(p unsafe.Pointer) { palloc.Footprint(p) }},
	{"ContextOf", func(p unsafe.Pointer) { palloc.ContextOf(p) }},
}

// wantRefusal checks that every way to free p, to resize it or to ask about it is refused.
func wantRefusal(t *testing.T, p unsafe.Pointer, where, reason string) {
	t.Helper()
	for _, free := range frees {
		wantFault(t, func() { free.call(p) }, free.op, where, reason)
	}
}

var static = [...]uint64{1, 2, 3, 4, 5, 6, 7, 8}

func TestMemoryOfOthersIsRefused(t *testing.T) {
	mc := newRoot(t)
	mc.Alloc(8)
	heap, stack := new([64]uint64), [8]uint64{}
	strangers := map[string]unsafe.Pointer{
		"Go's heap":            unsafe.Pointer(&heap[3]),
		"a large object":       unsafe.Pointer(unsafe.SliceData(make([]byte, 1<<20))),
		"static data":          unsafe.Pointer(&static[2]),
		"a constant":           unsafe.Pointer(unsafe.StringData("a string constant")),
		"a type without size":  unsafe.Pointer(new(struct{})),
		"an odd address there": unsafe.Add(unsafe.Pointer(heap), 13),
	}
	for name, p := range strangers {
		t.Run(name, func(t *testing.T) { wantRefusal(t, p, "", "belongs to no context") })
	}
	wantFault(t, func() { palloc.FreePointer(unsafe.Pointer(&stack[4])) }, "Free", "", "belongs to no context")
	runtime.KeepAlive(heap)
	wantOrder(t, mc)
}

func TestNilIsRefused(t *testing.T) {
	mc := newRoot(t)
	wantFault(t, func() { palloc.FreePointer(nil) }, "Free", "", "nil")
	wantFault(t, func() { palloc.Free[int](nil) }, "Free", "", "nil")
	wantFault(t, func() { palloc.Realloc(nil, 8) }, "Realloc", "", "nil")
	wantFault(t, func() { palloc.TryRealloc(nil, 8) }, "TryRealloc", "", "nil")
	wantOrder(t, mc)
}

// A freeable is a way to allocate a chunk that can be freed: its kind, size and alignment.
type freeable struct {
	kind        palloc.Kind
	size, align int
}

// freeables returns ways to allocate a chunk, for every sort of chunk that can be freed.
func freeables() (list []freeable) {
	for _, k := range freeing {
		for _, size := range []int{0, 8, 24, 100, 1024, 5000, 8192, 8193, 100_000} {
			list = append(list, freeable{k, size, 8})
			if k != palloc.KindSlab {
				list = append(list, freeable{k, size, 64}, freeable{k, size, 4096})
			}
		}
	}
	return list
}

func (s freeable) String() string { return fmt.Sprintf("%v %d bytes on %d", s.kind, s.size, s.align) }

// under creates a context for the chunk, called "c".
func (s freeable) under(mc palloc.Context) palloc.Context { return newKind(mc, s.kind, "c", s.size) }

func (s freeable) from(mc palloc.Context) unsafe.Pointer { return mc.AllocAligned(s.size, s.align) }

func TestAChunkIsFreedOnce(t *testing.T) {
	palloc.Trim() // so that the page heap keeps the blocks that follow: released memory has no header
	for _, s := range freeables() {
		t.Run(s.String(), func(t *testing.T) {
			mc := newRoot(t)
			c := s.under(mc)
			before, p, after := s.from(c), s.from(c), s.from(c)
			scribble(bytesAt(after, s.size), 1)
			palloc.FreePointer(p)
			wantRefusal(t, p, "Top/test/c", "already free")
			palloc.FreePointer(before)
			wantRefusal(t, p, "Top/test/c", "already free")
			if s.size <= 8192 && s.from(c) == p {
				palloc.FreePointer(p) // allocated again
			}
			wantRefusal(t, p, "Top/test/c", "already free")
			if !scribbled(bytesAt(after, s.size), 1) {
				t.Error("the neighbour changed")
			}
			palloc.FreePointer(after)
			wantRefusal(t, after, "Top/test/c", "already free")
			wantRefusal(t, p, "Top/test/c", "already free")
			wantOrder(t, mc)
		})
	}
}

// eachFreeable runs f for each kind of chunk, those of a Bump included, with a context for
// it below mc.
func eachFreeable(t *testing.T, f func(t *testing.T, s freeable, mc, c palloc.Context)) {
	for _, s := range append(freeables(), freeable{palloc.KindBump, 100, 8}, freeable{palloc.KindBump, 100_000, 64}) {
		t.Run(s.String(), func(t *testing.T) {
			mc := newRoot(t)
			f(t, s, mc, s.under(mc))
			wantOrder(t, mc)
		})
	}
}

func TestAResetEndsEveryChunk(t *testing.T) {
	mustBePlain(t)
	eachFreeable(t, func(t *testing.T, s freeable, _, c palloc.Context) {
		live, freed := s.from(c), s.from(c)
		if s.kind != palloc.KindBump {
			palloc.FreePointer(freed)
		}
		c.Reset()
		for range 2 {
			for _, free := range frees {
				for _, p := range []unsafe.Pointer{live, freed} {
					wantGone(t, func() { free.call(p) }, free.op)
				}
			}
			c.Reset() // a second reset changes nothing
		}
	})
}

// wantGone checks that f panics with a Fault about a chunk whose context was reset or deleted.
func wantGone(t *testing.T, f func(), op string) {
	t.Helper()
	fault := faultOf(t, f)
	if fault == nil || !strings.Contains(fault.Op, op) || fault.Address == 0 ||
		!saysOneOf(fault.Reason, "reset|deleted|a Bump") {
		t.Errorf("the Fault is %v; want one of %s about a reset or deleted context", fault, op)
		return
	}
	wantText(t, fault)
}

func TestADeletionEndsEveryChunk(t *testing.T) {
	eachFreeable(t, func(t *testing.T, s freeable, mc, c palloc.Context) {
		p := s.from(c)
		c.Delete()
		for _, free := range frees {
			wantGone(t, func() { free.call(p) }, free.op)
		}
		next := s.under(mc) // with the node of the deleted context
		for _, free := range frees {
			wantGone(t, func() { free.call(p) }, free.op)
		}
		if !next.IsEmpty() {
			t.Error("the next context noticed")
		}
	})
}

// fillings are contents of a chunk. No address in them may be taken for a chunk.
var fillings = map[string]func(r *rand.Rand, c palloc.Context, b []byte){
	"zeros":  func(_ *rand.Rand, _ palloc.Context, b []byte) { clear(b) },
	"ones":   func(_ *rand.Rand, _ palloc.Context, b []byte) { fillWords(b, func() uint64 { return math.MaxUint64 }) },
	"random": func(r *rand.Rand, _ palloc.Context, b []byte) { fillWords(b, r.Uint64) },
	"small numbers": func(r *rand.Rand, _ palloc.Context, b []byte) {
		fillWords(b, func() uint64 { return r.Uint64N(1 << 16) })
	},
	"pointers": func(r *rand.Rand, _ palloc.Context, b []byte) {
		fillWords(b, func() uint64 { return uint64(uintptr(unsafe.Pointer(&b[r.IntN(len(b))]))) })
	},
	"handles": func(_ *rand.Rand, c palloc.Context, b []byte) {
		handle := *(*[2]uint64)(unsafe.Pointer(&c))
		i := 0
		fillWords(b, func() uint64 { i++; return handle[i%2] })
	},
}

func fillWords(b []byte, word func() uint64) {
	for len(b) > 0 {
		var w [8]byte
		binary.NativeEndian.PutUint64(w[:], word())
		b = b[copy(b, w[:]):]
	}
}

func TestTheMiddleOfAChunkIsNoChunk(t *testing.T) {
	seeds := sized(2, 1)
	for _, s := range middles {
		for name, fill := range fillings {
			t.Run(fmt.Sprint(s, " of ", name), func(t *testing.T) {
				mc := newRoot(t)
				c := s.under(mc)
				for seed := range seeds {
					p := s.from(c)
					fill(rand.New(rand.NewPCG(uint64(seed), 2)), c, bytesAt(p, s.size))
					wantNoMiddle(t, p, s.size)
					palloc.FreePointer(p)
				}
				wantOrder(t, mc)
			})
		}
	}
}

var middles = []freeable{
	{palloc.KindAllocSet, 64, 8}, {palloc.KindAllocSet, 1000, 8}, {palloc.KindAllocSet, 1000, 256}, {palloc.KindAllocSet, 20_000, 8},
	{palloc.KindGeneration, 64, 8}, {palloc.KindGeneration, 1000, 8}, {palloc.KindGeneration, 1000, 256}, {palloc.KindGeneration, 20_000, 8},
	{palloc.KindSlab, 64, 8}, {palloc.KindSlab, 1000, 8}, {palloc.KindSlab, 20_000, 8},
}

// wantNoMiddle checks that no address inside a chunk can be freed or resized, and that its
// content does not change.
func wantNoMiddle(t *testing.T, p unsafe.Pointer, size int) {
	t.Helper()
	was := string(bytesAt(p, size))
	for at := 1; at < size; at++ {
		if at%8 != 0 && at > 64 { // all odd addresses are alike
			continue
		}
		inside := unsafe.Add(p, at)
		fault := faultOf(t, func() { palloc.FreePointer(inside) })
		other := faultOf(t, func() { palloc.Realloc(inside, 8) })
		if fault == nil || other == nil || fault.Address != uintptr(inside) || !strings.Contains(fault.Reason, "not the start of a") {
			t.Fatalf("%d bytes into a chunk of %d: %v, %v", at, size, fault, other)
		}
	}
	if string(bytesAt(p, size)) != was {
		t.Error("the content of the chunk changed")
	}
}

// TestAKindSaysWhetherItFrees frees a chunk of each kind: it is a Fault if the kind does not
// free chunks.
func TestAKindSaysWhetherItFrees(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 64)
		fault := faultOf(t, func() { palloc.FreeSlice(palloc.MakeSlice[byte](c, 64, 64)) })
		if c.Kind().Frees() != (fault == nil) {
			t.Errorf("it says %v, and FreeSlice panics with %v", c.Kind().Frees(), fault)
		}
	})
}

func TestABumpFreesNothing(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewBump(mc, "c")
	var chunks []unsafe.Pointer
	for range 50 {
		chunks = append(chunks, c.Alloc(64), c.AllocAligned(64, 128))
	}
	chunks = append(chunks, c.Alloc(0), c.Alloc(50_000))
	for name, fill := range fillings {
		t.Run(name, func(t *testing.T) {
			for i, p := range chunks[:100] {
				fill(rand.New(rand.NewPCG(uint64(i), 3)), c, bytesAt(p, 64))
			}
			for _, p := range chunks {
				wantRefusal(t, p, "Top/test/c", "a Bump")
			}
		})
	}
	wantOrder(t, mc)
}

// uses are all methods and functions that take a Context, with their names in a Fault.
// AllocZeroed calls Alloc.
var uses = []struct {
	name, op string
	call     func(mc palloc.Context)
}{
	{"Alloc", "Alloc", func(mc palloc.Context) { mc.Alloc(64) }},
	{"AllocZeroed", "Alloc", func(mc palloc.Context) { mc.AllocZeroed(64) }},
	{"AllocAligned", "AllocAligned", func(mc palloc.Context) { mc.AllocAligned(64, 8) }},
	{"TryAlloc", "TryAlloc", func(mc palloc.Context) { mc.TryAlloc(64) }},
	{"AllocAlignedZeroed", "AllocAligned", func(mc palloc.Context) { mc.AllocAlignedZeroed(64, 8) }},
	{"TryAllocAlignedZeroed", "TryAllocAlignedZeroed", func(mc palloc.Context) { mc.TryAllocAlignedZeroed(64, 8) }},
	{"TryAllocAligned", "TryAllocAligned", func(mc palloc.Context) { mc.TryAllocAligned(64, 8) }},
	{"New", "New", func(mc palloc.Context) { palloc.New[[8]uint64](mc) }},
	{"TryNew", "TryNew", func(mc palloc.Context) { palloc.TryNew[[8]uint64](mc) }},
	{"MakeSlice", "MakeSlice", func(mc palloc.Context) { palloc.MakeSlice[byte](mc, 64, 64) }},
	{"MakeSlice of nothing", "MakeSlice", func(mc palloc.Context) { palloc.MakeSlice[byte](mc, 0, 0) }},
	{"TryMakeSlice", "TryMakeSlice", func(mc palloc.Context) { palloc.TryMakeSlice[byte](mc, 64, 64) }},
	{"Append", "Append", func(mc palloc.Context) { palloc.Append(mc, []byte(nil), 1) }},
	{"TryAppend", "TryAppend", func(mc palloc.Context) { palloc.TryAppend(mc, []byte(nil), 1) }},
	{"Clone", "Clone", func(mc palloc.Context) { palloc.Clone(mc, make([]byte, 64)) }},
	{"TryClone", "Clone", func(mc palloc.Context) { palloc.TryClone(mc, make([]byte, 64)) }},
	{"CloneString", "CloneString", func(mc palloc.Context) { palloc.CloneString(mc, strings.Repeat("x", 64)) }},
	{"CloneString of nothing", "CloneString", func(mc palloc.Context) { palloc.CloneString(mc, "") }},
	{"TryCloneString", "TryCloneString", func(mc palloc.Context) { palloc.TryCloneString(mc, "") }},
	{"CloneStrings", "CloneStrings", func(mc palloc.Context) { palloc.CloneStrings(mc, []string{"x"}) }},
	{"TryCloneStrings", "TryCloneStrings", func(mc palloc.Context) { palloc.TryCloneStrings(mc, nil) }},
	{"MakeStrings", "MakeStrings", func(mc palloc.Context) { palloc.MakeStrings(mc, 0, 1) }},
	{"TryMakeStrings", "TryMakeStrings", func(mc palloc.Context) { palloc.TryMakeStrings(mc, 0, 0) }},
	{"MakePointers", "MakePointers", func(mc palloc.Context) { palloc.MakePointers[int](mc, 0, 1) }},
	{"TryMakePointers", "TryMakePointers", func(mc palloc.Context) { palloc.TryMakePointers[int](mc, 0, 0) }},
	{"JoinStrings", "JoinStrings", func(mc palloc.Context) { palloc.JoinStrings(mc, []string{"x"}, "") }},
	{"AppendString", "AppendString", func(mc palloc.Context) { palloc.AppendString(mc, nil, "x") }},
	{"TryAppendString", "TryAppendString", func(mc palloc.Context) { palloc.TryAppendString(mc, nil, "x") }},
	{"NewText", "NewText", func(mc palloc.Context) { palloc.NewText(mc, "x") }},
	{"NewText of nothing", "NewText", func(mc palloc.Context) { palloc.NewText(mc, "") }},
	{"TryNewText", "TryNewText", func(mc palloc.Context) { palloc.TryNewText(mc, "x") }},
	{"NewRef", "NewRef", func(mc palloc.Context) { palloc.NewRef[[8]uint64](mc) }},
	{"TryNewRef", "TryNewRef", func(mc palloc.Context) { palloc.TryNewRef[[8]uint64](mc) }},
	{"Vec.Append", "Vec.Append", func(mc palloc.Context) { new(palloc.Vec[int]).Append(mc, 1) }},
	{"Vec.TryAppend", "Vec.TryAppend", func(mc palloc.Context) { new(palloc.Vec[int]).TryAppend(mc, 1) }},
	{"TryAllocZeroed", "TryAllocZeroed", func(mc palloc.Context) { mc.TryAllocZeroed(64) }},
	{"AllocArray", "AllocArray", func(mc palloc.Context) { mc.AllocArray(8, 8) }},
	{"TryAllocArray", "TryAllocArray", func(mc palloc.Context) { mc.TryAllocArray(8, 8) }},
	{"NewBuffer", "NewBuffer", func(mc palloc.Context) { palloc.NewBuffer(mc) }},
	{"Sprintf", "Sprintf", func(mc palloc.Context) { palloc.Sprintf(mc, "%d", 1) }},
	{"TrySprintf", "TrySprintf", func(mc palloc.Context) { palloc.TrySprintf(mc, "") }},
	{"NewGoContext", "NewGoContext", func(mc palloc.Context) { palloc.NewGoContext(context.Background(), mc) }},
	{"Reset", "Reset", palloc.Context.Reset},
	{"ResetOnly", "ResetOnly", palloc.Context.ResetOnly},
	{"ResetChildren", "ResetChildren", palloc.Context.ResetChildren},
	{"Delete", "Delete", palloc.Context.Delete},
	{"DeleteChildren", "DeleteChildren", palloc.Context.DeleteChildren},
	{"BeforeReset", "BeforeReset", func(mc palloc.Context) { mc.BeforeReset(func() {}) }},
	{"IsEmpty", "IsEmpty", func(mc palloc.Context) { mc.IsEmpty() }},
	{"Kind", "Kind", func(mc palloc.Context) { mc.Kind() }},
	{"Name", "Name", func(mc palloc.Context) { mc.Name() }},
	{"Path", "Path", func(mc palloc.Context) { mc.Path() }},
	{"Ident", "Ident", func(mc palloc.Context) { mc.Ident() }},
	{"SetIdent", "SetIdent", func(mc palloc.Context) { mc.SetIdent("x") }},
	{"Parent", "Parent", func(mc palloc.Context) { mc.Parent() }},
	{"SetParent", "SetParent", func(mc palloc.Context) { mc.SetParent(palloc.Top()) }},
	{"Children", "Children", func(mc palloc.Context) { count(mc) }},
	{"All", "All", func(mc palloc.Context) { names(mc.All()) }},
	{"Stats", "Stats", func(mc palloc.Context) { mc.Stats() }},
	{"Held", "Held", func(mc palloc.Context) { mc.Held() }},
	{"TreeHeld", "TreeHeld", func(mc palloc.Context) { mc.TreeHeld() }},
	{"WriteStats", "WriteStats", func(mc palloc.Context) { mc.WriteStats(io.Discard) }},
	{"WriteStatsDetail", "WriteStatsDetail", func(mc palloc.Context) { mc.WriteStatsDetail(io.Discard, 1, 1) }},
	{"TakeSnapshot", "TakeSnapshot", func(mc palloc.Context) { palloc.TakeSnapshot(mc) }},
	{"SetLimit", "SetLimit", func(mc palloc.Context) { mc.SetLimit(1) }},
	{"SetSoftLimit", "SetSoftLimit", func(mc palloc.Context) { mc.SetSoftLimit(1) }},
	{"IsShared", "IsShared", func(mc palloc.Context) { mc.IsShared() }},
	{"Lifetime", "Lifetime", func(mc palloc.Context) { mc.Lifetime() }},
	{"IsChecked", "IsChecked", func(mc palloc.Context) { mc.IsChecked() }},
	{"Budget", "Budget", func(mc palloc.Context) { mc.Budget() }},
	{"Peak", "Peak", func(mc palloc.Context) { mc.Peak() }},
	{"Compact", "Compact", func(mc palloc.Context) { mc.Compact() }},
	{"Check", "Check", func(mc palloc.Context) { _ = mc.Check() }},
	{"Layout", "Layout", func(mc palloc.Context) { mc.Layout() }},
	{"ResetPeak", "ResetPeak", func(mc palloc.Context) { mc.ResetPeak() }},
	{"AnswerPressure", "AnswerPressure", func(mc palloc.Context) { mc.AnswerPressure() }},
	{"StopPeak", "StopPeak", func(mc palloc.Context) { mc.StopPeak() }},
	{"OnPressureOwned", "OnPressureOwned", func(mc palloc.Context) { mc.OnPressureOwned(func(palloc.Pressure) error { return nil }) }},
	{"CancelWaits", "CancelWaits", func(mc palloc.Context) { mc.CancelWaits(context.Background()) }},
	{"OnPressure", "OnPressure", func(mc palloc.Context) { mc.OnPressure(func(palloc.Pressure) error { return nil }) }},
	{"EnterCritical", "EnterCritical", func(mc palloc.Context) { mc.EnterCritical() }},
	{"AllowInCriticalSection", "AllowInCriticalSection", func(mc palloc.Context) { mc.AllowInCriticalSection(true) }},
	{"NewAllocSet", "NewAllocSet", func(mc palloc.Context) { palloc.NewAllocSet(mc, "x") }},
	{"NewGeneration", "NewGeneration", func(mc palloc.Context) { palloc.NewGeneration(mc, "x") }},
	{"NewBump", "NewBump", func(mc palloc.Context) { palloc.NewBump(mc, "x") }},
	{"NewSlab", "NewSlab", func(mc palloc.Context) { palloc.NewSlab(mc, "x", 8) }},
	{"Scope", "New", func(mc palloc.Context) { palloc.Scope(mc, "x", func(palloc.Context) error { return nil }) }},
}

func TestUsesAreAllMethods(t *testing.T) {
	used := map[string]bool{"Live": true} // the only use that is always allowed
	for _, u := range uses {
		used[u.name] = true
	}
	methods := reflect.TypeFor[palloc.Context]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; !used[name] {
			t.Errorf("the table of uses lacks the method %s", name)
		}
	}
}

// wantNoUse checks that every use of a context is refused.
func wantNoUse(t *testing.T, mc palloc.Context, where, reason string) {
	t.Helper()
	if mc.Live() {
		t.Error("the context is live")
	}
	for _, u := range uses {
		t.Run(u.name, func(t *testing.T) { wantFault(t, func() { u.call(mc) }, u.op, where, reason) })
	}
}

func TestADeletedContextCannotBeUsed(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		dead := newKind(mc, k, "dead", 64)
		dead.Alloc(64)
		dead.Delete()
		wantNoUse(t, dead, "dead", "deleted")
		wantOrder(t, mc)
	})
}

func TestAHandleDoesNotFitTheNextContext(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		dead := newKind(mc, k, "dead", 64)
		dead.Alloc(64)
		for range 10 {
			palloc.NewAllocSet(mc, "before") // so that the node is not cached for its own kind
		}
		dead.Delete()
		next := palloc.NewAllocSet(mc, "dead")
		if nodeOf(next) != nodeOf(dead) {
			t.Fatal("the next context does not reuse the node of the dead one")
		}
		p := next.Alloc(64)
		scribble(bytesAt(p, 64), 5)
		stats := next.Stats()
		wantNoUse(t, dead, "", "has served another one since")
		if !next.Live() || next.Stats() != stats || !scribbled(bytesAt(p, 64), 5) {
			t.Errorf("the next context changed from %+v to %+v", stats, next.Stats())
		}
		next.Delete()
		wantNoUse(t, dead, "", "has served another one since") // and serves none now
		wantOrder(t, mc)
	})
}

// nodeOf returns the first word of a handle: the address of the context's node.
func nodeOf(mc palloc.Context) uintptr { return *(*uintptr)(unsafe.Pointer(&mc)) }

func TestTheZeroContextIsNone(t *testing.T) {
	mc := newRoot(t)
	wantNoUse(t, palloc.Context{}, "", "zero Context")
	wantOrder(t, mc)
}

func TestTheRootCannotBeDeleted(t *testing.T) {
	mc := newRoot(t)
	wantFault(t, palloc.Top().Delete, "Delete", "Top", "root")
	wantOrder(t, mc)
}

func TestASlabHasOneSize(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewSlab(mc, "c", 64)
	p := c.Alloc(64)
	scribble(bytesAt(p, 64), 9)
	for _, bad := range []struct {
		op     string
		call   func()
		reason string
	}{
		{"Alloc", func() { c.Alloc(63) }, "64 bytes, not of 63"},
		{"Alloc", func() { c.Alloc(0) }, "64 bytes, not of 0"},
		{"Alloc", func() { c.AllocZeroed(65) }, "64 bytes, not of 65"},
		{"TryAlloc", func() { c.TryAlloc(128) }, "64 bytes, not of 128"},
		{"New", func() { palloc.New[uint32](c) }, "64 bytes, not of 4"},
		{"TryNew", func() { palloc.TryNew[[9]uint64](c) }, "64 bytes, not of 72"},
		{"MakeSlice", func() { palloc.MakeSlice[byte](c, 1, 65) }, "64 bytes, not of 65"},
		{"Append", func() { palloc.Append(c, []byte(nil), 1) }, "64 bytes, not of 1"},
		{"CloneString", func() { palloc.CloneString(c, "x") }, "64 bytes, not of 1"},
		{"TryCloneString", func() { palloc.TryCloneString(c, "x") }, "64 bytes, not of 1"},
		{"NewText", func() { palloc.NewText(c, "x") }, "64 bytes, not of 1"},
		{"NewRef", func() { palloc.NewRef[uint32](c) }, "64 bytes, not of 4"},
		{"TryNewRef", func() { palloc.TryNewRef[[9]uint64](c) }, "64 bytes, not of 72"},
		{"Vec.Append", func() { new(palloc.Vec[int32]).Append(c, 1) }, "64 bytes, not of 4"},
		{"Realloc", func() { palloc.Realloc(p, 65) }, "64 bytes"},
		{"TryRealloc", func() { palloc.TryRealloc(p, 8) }, "64 bytes"},
		{"AllocAligned", func() { c.AllocAligned(64, 16) }, "alignment of 16"},
	} {
		wantFault(t, bad.call, bad.op, "Top/test/c", bad.reason)
	}
	if palloc.Realloc(p, 64) != p || !scribbled(bytesAt(p, 64), 9) {
		t.Error("the chunk of the right size changed")
	}
	palloc.FreePointer(p)
	wantOrder(t, mc)
}

func TestASizeIsNotNegativeAndFitsTheMachine(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		c.Alloc(64)
		before := c.Stats()
		for _, size := range []int{-1, -7, -8, -9, -48, -64, -4096, math.MinInt, math.MinInt + 8, math.MaxInt, math.MaxInt - 4096} {
			const reason = "is not a size|has chunks of|lie on multiples of"
			wantFault(t, func() { c.Alloc(size) }, "Alloc", "Top/test/c", reason)
			wantFault(t, func() { c.AllocZeroed(size) }, "Alloc", "Top/test/c", reason)
			wantFault(t, func() { c.TryAlloc(size) }, "TryAlloc", "Top/test/c", reason)
			for _, align := range []int{1, 8, 16, 64, 4096} {
				wantFault(t, func() { c.AllocAligned(size, align) }, "AllocAligned", "Top/test/c", reason)
				wantFault(t, func() { c.TryAllocAligned(size, align) }, "TryAllocAligned", "Top/test/c", reason)
			}
		}
		if now := c.Stats(); now != before {
			t.Errorf("the accounts went from %+v to %+v", before, now)
		}
		wantOrder(t, mc)
	})
}

func TestAChunkSurvivesABadNewSize(t *testing.T) {
	for _, s := range freeables() {
		t.Run(s.String(), func(t *testing.T) {
			mc := newRoot(t)
			p := s.from(s.under(mc))
			scribble(bytesAt(p, s.size), 4)
			for _, size := range []int{-1, -8, math.MinInt, math.MaxInt} {
				wantFault(t, func() { palloc.Realloc(p, size) }, "Realloc", "Top/test/c", "is not a size")
				wantFault(t, func() { palloc.TryRealloc(p, size) }, "TryRealloc", "Top/test/c", "is not a size")
			}
			if !scribbled(bytesAt(p, s.size), 4) {
				t.Error("the content changed")
			}
			palloc.FreePointer(p)
			wantOrder(t, mc)
		})
	}
}

func TestALengthIsFromZeroToTheCapacity(t *testing.T) {
	mc := newRoot(t)
	for _, bad := range [][2]int{{-1, 0}, {-1, -1}, {0, -1}, {5, 4}, {1, 0}, {math.MinInt, math.MinInt},
		{0, math.MaxInt}, {0, math.MaxInt/8 + 1}, {math.MaxInt / 4, math.MaxInt / 4}} {
		n, most := bad[0], bad[1]
		wantFault(t, func() { palloc.MakeSlice[uint64](mc, n, most) }, "MakeSlice", "Top/test", "length")
		wantFault(t, func() { palloc.TryMakeSlice[uint64](mc, n, most) }, "TryMakeSlice", "Top/test", "length")
	}
	wantFault(t, func() { palloc.MakeSlice[struct{}](mc, 2, 1) }, "MakeSlice", "Top/test", "length")
	wantOrder(t, mc)
}

func TestSizesGivenAtCreationAreChecked(t *testing.T) {
	mc := newRoot(t)
	for _, bad := range [][2]int{{-1, 0}, {0, -1}, {-1024, -1024}, {math.MinInt, 1 << 20}} {
		wantFault(t, func() { palloc.BlockSizes(bad[0], bad[1]) }, "BlockSizes", "", "not be negative")
	}
	for _, size := range []int{-1, -8, math.MinInt, math.MinInt + 1, math.MaxInt} {
		if size == math.MaxInt && unsafe.Sizeof(size) == 4 {
			continue // the size is below 2 GiB there
		}
		wantFault(t, func() { palloc.NewSlab(mc, "c", size) }, "NewSlab", "", "chunk size")
	}
	wantNames(t, "children after the refusals", mc.Children())
	wantOrder(t, mc)
}

func TestAnAlignmentIsAPowerOfTwo(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		for _, align := range []int{0, -1, -8, 3, 12, 24, 4095, 4097, math.MinInt, math.MaxInt} {
			wantFault(t, func() { c.AllocAligned(64, align) }, "AllocAligned", "Top/test/c", "not a power of two")
			wantFault(t, func() { c.TryAllocAligned(64, align) }, "TryAllocAligned", "Top/test/c", "not a power of two")
		}
		wantOrder(t, mc)
	})
}

func TestAFaultPrintsOneLine(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "line one\nline two\x00")
	fault := faultOf(t, func() { c.Alloc(-1) })
	wantText(t, &palloc.Fault{Op: "Free", Reason: "x", Address: 4096})
	if text := fault.Error(); strings.ContainsAny(text, "\n\x00") || !strings.Contains(text, `line one\nline two`) {
		t.Errorf("the text is %q", text)
	}
	for _, f := range []struct {
		fault palloc.Fault
		text  string
	}{
		{palloc.Fault{Op: "Free", Reason: "no"}, "palloc: Free: no"},
		{palloc.Fault{Op: "Free", Reason: "no", Address: 0x10}, "palloc: Free(0x10): no"},
		{palloc.Fault{Op: "Free", Reason: "no", Context: "Top/a"}, `palloc: Free: no (context "Top/a")`},
	} {
		if got := f.fault.Error(); got != f.text {
			t.Errorf("the text is %q, not %q", got, f.text)
		}
	}
}
