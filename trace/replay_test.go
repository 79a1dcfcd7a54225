package trace_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// The replay: what a back end is told, in which order, what the table holds
// meanwhile, and what the replay itself costs in allocations.

// diary writes down what it is told.
type diary struct {
	honest
	lines []string
}

func (b *diary) note(format string, args ...any) {
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

func (b *diary) Begin(t *trace.Trace, chunks []unsafe.Pointer) {
	b.honest.Begin(t, chunks)
	b.note("begin %d", len(chunks))
}
func (b *diary) End()                     { b.note("end") }
func (b *diary) Create(mc, parent uint32) { b.note("create %d under %d", mc, int32(parent)) }
func (b *diary) SetParent(mc, parent uint32) {
	b.note("move %d under %d", mc, int32(parent))
}
func (b *diary) SetIdent(mc uint32, ident string) { b.note("ident %d %q", mc, ident) }
func (b *diary) OnReset(mc uint32)                { b.note("callback %d", mc) }
func (b *diary) Release(o trace.Op) {
	b.note("%s %d ends %d", o.Code(), o.Context(), b.t.Deaths(o).Slots)
	b.honest.Release(o)
}
func (b *diary) Alloc(mc uint32, size int, zero bool) unsafe.Pointer {
	b.note("alloc %d in %d zero=%v", size, mc, zero)
	return b.honest.Alloc(mc, size, zero)
}
func (b *diary) Free(mc uint32, p unsafe.Pointer) {
	b.note("free in %d, nil=%v, held=%v", mc, p == nil, slices.Contains(b.chunks, p))
}
func (b *diary) Realloc(mc uint32, p unsafe.Pointer, old, size int) unsafe.Pointer {
	b.note("resize %d to %d in %d, held=%v", old, size, mc, slices.Contains(b.chunks, p))
	return b.honest.Alloc(mc, size, false)
}

// replay plays the whole trace once.
func replay(t testing.TB, tr *trace.Trace, b trace.Backend) {
	t.Helper()
	r, err := trace.NewReplay(tr, b)
	if err != nil {
		t.Fatal(err)
	}
	r.Begin()
	r.Play(tr.Ops())
	r.End()
}

func TestReplayTellsTheBackend(t *testing.T) {
	r := trace.NewRecorder()
	top, _ := r.Create(trace.None, trace.Context{Name: "top"})
	kid, _ := r.Create(top, trace.Context{Name: "kid"})
	a, _ := r.Alloc(top, 10, trace.Zero)
	b, _ := r.Alloc(kid, 20, 0)
	r.Realloc(a, 30, 0)
	r.Free(a)
	r.Alloc(kid, 40, 0)
	r.SetIdent(kid, "x")
	r.OnReset(kid)
	r.Space(b)
	r.MemAllocated(kid, 0)
	r.SetParent(kid, trace.None)
	r.Release(trace.OpReset, kid, 0)
	r.Release(trace.OpDelete, top, 0)
	var d diary
	replay(t, r.Trace(), &d)
	want := []string{
		"begin 2", "create 0 under -1", "create 1 under 0",
		"alloc 10 in 0 zero=true", "alloc 20 in 1 zero=false",
		"resize 10 to 30 in 0, held=true", "free in 0, nil=false, held=false",
		"alloc 40 in 1 zero=false", `ident 1 "x"`, "callback 1", "move 1 under -1",
		"RESET 1 ends [0 1]", "DELETE 0 ends []", "end",
	}
	if !slices.Equal(d.lines, want) {
		t.Errorf("the back end was told\n%q, want\n%q", d.lines, want)
	}
}

// keeper keeps what it hands out, to look at it later.
type keeper struct {
	honest
	given []byte
}

func (b *keeper) Alloc(_ uint32, size int, _ bool) unsafe.Pointer {
	b.given = make([]byte, size)
	return unsafe.Pointer(unsafe.SliceData(b.given))
}

func (b *keeper) Realloc(mc uint32, _ unsafe.Pointer, _, size int) unsafe.Pointer {
	return b.Alloc(mc, size, false)
}

func TestReplayTouchesBothEnds(t *testing.T) {
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{})
	id, _ := r.Alloc(mc, 5, 0)
	var b keeper
	replay(t, r.Trace(), &b)
	if want := []byte{1, 0, 0, 0, 1}; !slices.Equal(b.given, want) {
		t.Errorf("an allocation leaves % x, want % x", b.given, want)
	}
	r.Realloc(id, 4, 0)
	replay(t, r.Trace(), &b)
	if want := []byte{0, 0, 0, 1}; !slices.Equal(b.given, want) {
		t.Errorf("a resize leaves % x, want % x", b.given, want)
	}
}

// offHeap hands out one buffer and claims that nothing lives by the table.
type offHeap struct {
	honest
	buffer [1 << 16]byte
}

func (b *offHeap) OnHeap() bool                                                { return false }
func (b *offHeap) Alloc(uint32, int, bool) unsafe.Pointer                      { return unsafe.Pointer(&b.buffer) }
func (b *offHeap) Release(trace.Op)                                            {}
func (b *offHeap) Realloc(_ uint32, p unsafe.Pointer, _, _ int) unsafe.Pointer { return p }

func TestReplayAllocatesNothing(t *testing.T) {
	tr := sample(t)
	r, err := trace.NewReplay(tr, &offHeap{})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { r.Begin(); r.Play(tr.Ops()); r.End() }); n != 0 {
		t.Errorf("a pass allocates %v times, want none", n)
	}
}

func TestReplayTableIsScannedOnRequest(t *testing.T) {
	for _, c := range []struct {
		b       trace.Backend
		survive bool
	}{{&watched{onHeap: true}, true}, {&watched{onHeap: false}, false}} {
		w := c.b.(*watched)
		r := trace.NewRecorder()
		mc, _ := r.Create(trace.None, trace.Context{})
		r.Alloc(mc, 1, 0)
		tr := r.Trace()
		p, err := trace.NewReplay(tr, w)
		if err != nil {
			t.Fatal(err)
		}
		p.Begin()
		p.Play(tr.Ops())
		runtime.GC()
		runtime.GC()
		if w.weakIsAlive() != c.survive {
			t.Errorf("on heap %v: a chunk in the table is alive %v, want %v", w.onHeap, !c.survive, c.survive)
		}
		runtime.KeepAlive(p)
	}
}
