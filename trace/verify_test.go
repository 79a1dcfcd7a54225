package trace_test

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// The verified replay: honest back ends pass, and each way of breaking a promise
// is caught at the op where it can first be noticed.

// wantVerified wants a back end to pass.
func wantVerified(t testing.TB, tr *trace.Trace, b calls) {
	t.Helper()
	if err := verify(t, tr, b); err != nil {
		t.Fatalf("an honest back end does not pass: %v", err)
	}
}

func verify(t testing.TB, tr *trace.Trace, b calls) error {
	t.Helper()
	return trace.Verify(tr, &played{calls: b})
}

func TestVerifyPassesTheHonest(t *testing.T) {
	wantVerified(t, sample(t), &honest{})
	forEachRecording(t, func(t *testing.T, _ string, tr *trace.Trace) {
		wantVerified(t, tr, &honest{})
	})
}

// steps is what the broken back ends go through: ops 0 to 9, slots 0 to 3.
func steps(t *testing.T) *trace.Trace {
	t.Helper()
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{Name: "victim"}) // op 0
	r.Alloc(mc, 100, 0)                                          // op 1, slot 0
	b, _ := r.Alloc(mc, 200, trace.Zero)                         // op 2, slot 1
	c, _ := r.Alloc(mc, 50, 0)                                   // op 3, slot 2
	r.Realloc(b, 300, 0)                                         // op 4, slot 1
	r.Realloc(b, 250, 0)                                         // op 5, slot 1
	r.Free(c)                                                    // op 6, slot 2
	r.Release(trace.OpReset, mc, 0)                              // op 7, slots 0 and 1
	r.Alloc(mc, 24, 0)                                           // op 8
	tr := r.Trace()
	if len(tr.Ops()) != 9 {
		t.Fatalf("%d ops, want 9", len(tr.Ops()))
	}
	return tr
}

// liar is a back end that goes through a hook after each allocation and resize,
// which may replace the chunk or spoil any that was handed out before.
type liar struct {
	honest
	calls int // allocations and resizes so far
	given []unsafe.Pointer
	lie   func(b *liar, p unsafe.Pointer, size int) unsafe.Pointer
}

func (b *liar) hand(p unsafe.Pointer, size int) unsafe.Pointer {
	p = b.lie(b, p, size)
	b.given = append(b.given, p)
	b.calls++
	return p
}

func (b *liar) Alloc(size int, zero bool) unsafe.Pointer {
	return b.hand(b.honest.Alloc(size, zero), size)
}

func (b *liar) Realloc(p unsafe.Pointer, old, size int) unsafe.Pointer {
	return b.hand(b.honest.Realloc(p, old, size), size)
}

// spoil changes the byte at offset of a chunk.
func spoil(p unsafe.Pointer, offset int) { *(*byte)(unsafe.Add(p, offset)) ^= 0x10 }

// The calls of hand in steps, in order.
const (
	allocA = iota
	allocB
	allocC
	growB
	shrinkB
	allocD
)

func TestVerifyCatchesEachLie(t *testing.T) {
	at := func(call int, lie func(b *liar, p unsafe.Pointer, size int) unsafe.Pointer) func(*liar, unsafe.Pointer, int) unsafe.Pointer {
		return func(b *liar, p unsafe.Pointer, size int) unsafe.Pointer {
			if b.calls != call {
				return p
			}
			return lie(b, p, size)
		}
	}
	give := func(call, chunk, offset int) func(*liar, unsafe.Pointer, int) unsafe.Pointer {
		return at(call, func(b *liar, _ unsafe.Pointer, _ int) unsafe.Pointer { return unsafe.Add(b.given[chunk], offset) })
	}
	spoilAt := func(call, chunk, offset int) func(*liar, unsafe.Pointer, int) unsafe.Pointer {
		return at(call, func(b *liar, p unsafe.Pointer, _ int) unsafe.Pointer {
			spoil(append(b.given, p)[chunk], offset)
			return p
		})
	}
	for _, c := range []struct {
		name string
		lie  func(*liar, unsafe.Pointer, int) unsafe.Pointer
		op   int
		slot uint32
		says string
	}{
		{"the same chunk twice", give(allocC, allocA, 0), 3, 2, "overlaps the live chunk in slot 0"},
		{"the last byte shared", give(allocC, allocB, 199), 3, 2, "overlaps the live chunk in slot 1"},
		{"inside another", give(allocC, allocB, 70), 3, 2, "overlaps the live chunk in slot 1"},
		{"a resize onto another", give(shrinkB, allocA, 0), 5, 1, "overlaps the live chunk in slot 0"},
		{"nil", at(allocA, func(*liar, unsafe.Pointer, int) unsafe.Pointer { return nil }), 1, 0, "nil"},
		{"a first byte not zero", spoilAt(allocB, allocB, 0), 2, 1, "byte 0 is 0x10"},
		{"a middle byte not zero", spoilAt(allocB, allocB, 101), 2, 1, "byte 101 is 0x10"},
		{"a last byte not zero", spoilAt(allocB, allocB, 199), 2, 1, "byte 199 is 0x10"},
		{"front lost before a resize", spoilAt(allocC, allocB, 0), 4, 1, "byte 0 has changed"},
		{"back lost before a resize", spoilAt(allocC, allocB, 199), 4, 1, "byte 199 has changed"},
		{"front lost in growing", spoilAt(growB, growB, 3), 4, 1, "byte 3 has changed after the resize"},
		{"back lost in growing", spoilAt(growB, growB, 195), 4, 1, "byte 195 has changed after the resize"},
		{"front lost in shrinking", spoilAt(shrinkB, shrinkB, 7), 5, 1, "byte 7 has changed after the resize"},
		{"spoilt before a free", spoilAt(growB, allocC, 49), 6, 2, "byte 49 has changed"},
		{"spoilt before a reset", spoilAt(shrinkB, allocA, 0), 7, 0, "byte 0 has changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := verify(t, steps(t), &liar{lie: c.lie})
			var bad *trace.VerifyError
			if !errors.As(err, &bad) {
				t.Fatalf("the error is %v, want a *VerifyError", err)
			}
			if bad.Op != c.op || bad.Slot != c.slot || bad.Context != 0 || bad.Name != "victim" || !strings.Contains(bad.Error(), c.says) {
				t.Errorf("the error is %q, want op %d, slot %d and %q", bad, c.op, c.slot, c.says)
			}
		})
	}
}

// late spoils the chunk that outlives the trace, when its pass is over but for
// the last look: the callback is the last op.
type late struct {
	honest
	last unsafe.Pointer
}

func (b *late) Alloc(size int, zero bool) unsafe.Pointer {
	b.last = b.honest.Alloc(size, zero)
	return b.last
}

func (b *late) BeforeReset() { spoil(b.last, 0) }

func TestVerifyLooksAtSurvivors(t *testing.T) {
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{Name: "victim"})
	r.Alloc(mc, 1, 0)
	r.BeforeReset(mc)
	var bad *trace.VerifyError
	if err := verify(t, r.Trace(), &late{}); !errors.As(err, &bad) || bad.Slot != 0 {
		t.Errorf("the error is %v, want slot 0", err)
	}
}

// lender permits that what it frees is used again at once.
type lender struct {
	honest
	buffer [4096]byte
}

func (b *lender) Alloc(_ int, zero bool) unsafe.Pointer {
	if zero {
		clear(b.buffer[:])
	}
	return unsafe.Pointer(&b.buffer)
}

func TestVerifyAllowsReuse(t *testing.T) {
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{})
	for range 3 {
		id, _ := r.Alloc(mc, 4096, trace.Zero)
		r.Free(id)
		r.Alloc(mc, 100, 0)
		r.Release(trace.OpResetOnly, mc, 0)
	}
	wantVerified(t, r.Trace(), &lender{})
}

// panicker panics when a context is deleted.
type panicker struct{ honest }

var errPanic = errors.New("no such context")

func (b *panicker) Release() { panic(errPanic) }

func TestVerifyReportsAPanic(t *testing.T) {
	var bad *trace.VerifyError
	err := verify(t, steps(t), &panicker{})
	if !errors.As(err, &bad) || !errors.Is(err, errPanic) || bad.Op != 7 || bad.Name != "victim" {
		t.Errorf("the error is %v, want op 7 and the panic", err)
	}
}

// invalid reports two errors of itself.
type invalid struct{ honest }

var errInvalid = errors.New("a block is lost")

func (b *invalid) Check() error { return errors.Join(errInvalid, errors.New("and a chunk")) }

func TestVerifyAsksWhoCanCheckItself(t *testing.T) {
	var bad *trace.VerifyError
	err := verify(t, steps(t), &invalid{})
	if !errors.As(err, &bad) || !errors.Is(err, errInvalid) || bad.Op != 8 || bad.Slot != trace.None || bad.Context != trace.None {
		t.Fatalf("the error is %#v, want the last op, no chunk, and what the check says", err)
	}
	text := err.Error()
	if !strings.Contains(text, "a block is lost; and a chunk") || strings.Contains(text, "\n") || strings.Contains(text, "context") {
		t.Errorf("the text is %q", text)
	}
}
