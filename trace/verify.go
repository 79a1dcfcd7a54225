package trace

import (
	"fmt"
	"strings"
	"unsafe"
)

// The verified replay: one pass in which every promise of the back end is
// checked.
//
// Both ends of each chunk carry a stamp, made from the op that allocated or
// resized it. The stamps are read back before the chunk is freed, resized, or
// ended by a reset or delete, and after a resize where they survive it; at the
// end of the trace all live chunks are read once more, and a back end that is a
// Checker is asked. No two live chunks may share a byte, and zeroed memory
// must be zero from end to end.
//
// Invariant: between two ops every live chunk is stamped and covered in the
// shadow. Cost: 50 to 250 ns an op, and an eighth of the memory replayed.

// Verify replays the whole trace on b, op by op, in a pass of its own. It fails
// when the trace is not [Trace.Addressable]. The first broken promise, or panic of
// the back end, ends the pass and is returned as a [*VerifyError]; the back end is
// then left in the middle of it.
func Verify(t *Trace, b Backend) (err error) {
	if err := t.Addressable(); err != nil {
		return err
	}
	v := &verifier{t: t, b: b, held: make([]heldChunk, t.counts.MaxLive), shadow: newShadow()}
	defer func() {
		if p := recover(); p != nil {
			err = v.panicked(p)
		}
	}()
	b.Begin(t)
	for i, o := range t.ops {
		v.op = i
		if err := v.step(o); err != nil {
			return err
		}
	}
	if err := v.survivors(); err != nil {
		return err
	}
	if err := v.sound(); err != nil {
		return err
	}
	b.End()
	return nil
}

// sound returns what a back end that is a Checker reports at the end of its pass.
func (v *verifier) sound() error {
	b, ok := v.b.(Checker)
	if !ok {
		return nil
	}
	if err := b.Check(); err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "; ")
		return &VerifyError{Op: v.op, Slot: None, Context: None, Problem: "at the end of the trace: " + text, Err: err}
	}
	return nil
}

// heldChunk is what the verifier knows of the chunk in a slot.
type heldChunk struct {
	size int64
	seed uint64 // of the stamps
	mc   uint32
	live bool
}

type verifier struct {
	t      *Trace
	b      Backend
	op     int   // index of the current op
	one    [1]Op // what is played, outside of t
	held   []heldChunk
	shadow *shadow
}

// step checks, plays one op, and checks again.
func (v *verifier) step(o Op) error {
	switch code := o.Code(); {
	case code == OpAlloc:
		return v.alloc(o)
	case code == OpFree:
		if err := v.gone(o.arg); err != nil {
			return err
		}
	case code == OpRealloc:
		return v.realloc(o)
	case code.Releases():
		for _, slot := range v.t.Deaths(o).Slots {
			if err := v.gone(slot); err != nil {
				return err
			}
		}
	}
	v.play(o)
	return nil
}

// play has the back end carry out one op, and leave the chunk as it is.
func (v *verifier) play(o Op) {
	v.one[0] = o.untouched()
	v.b.Play(v.one[:])
}

func (v *verifier) alloc(o Op) error {
	v.play(o)
	h := &v.held[o.arg]
	*h = heldChunk{size: o.Size(), mc: o.mc, live: true}
	if err := v.admit(o.arg); err != nil {
		return err
	}
	if o.Zeroed() {
		for i, b := range unsafe.Slice((*byte)(v.b.Chunk(o.arg)), h.size) {
			if b != 0 {
				return v.broken(o.arg, "the memory should be zeroed, but byte %d is %#02x", i, b)
			}
		}
	}
	v.stamp(o.arg)
	return nil
}

func (v *verifier) realloc(o Op) error {
	if err := v.gone(o.arg); err != nil {
		return err
	}
	v.play(o)
	h := &v.held[o.arg]
	old := h.size
	h.size, h.live = o.Size(), true
	if err := v.admit(o.arg); err != nil {
		return err
	}
	if err := v.compare(o.arg, old, "after the resize"); err != nil {
		return err
	}
	v.stamp(o.arg)
	return nil
}

// admit adds a chunk, new or moved, to the live ones.
func (v *verifier) admit(slot uint32) error {
	h := &v.held[slot]
	if h.size == 0 {
		return nil
	}
	p := v.b.Chunk(slot)
	if p == nil {
		return v.broken(slot, "the back end returned nil")
	}
	taken, ok := v.shadow.claim(uintptr(p), h.size)
	if !ok {
		other := v.holder(slot, taken)
		return v.broken(slot, "it overlaps the live chunk in slot %d (%d bytes at %#x, context %d) at %#x",
			other, v.held[other].size, uintptr(v.b.Chunk(other)), v.held[other].mc, taken)
	}
	return nil
}

// holder finds the live chunk, other than the one in slot, that has the byte at
// addr.
func (v *verifier) holder(slot uint32, addr uintptr) uint32 {
	for i := range v.held {
		start := uintptr(v.b.Chunk(uint32(i)))
		if v.held[i].live && uint32(i) != slot && start <= addr && addr-start < uintptr(v.held[i].size) {
			return uint32(i)
		}
	}
	return slot
}

// gone checks a chunk for the last time and removes it from the live ones.
func (v *verifier) gone(slot uint32) error {
	h := &v.held[slot]
	if err := v.compare(slot, h.size, "since it was stamped"); err != nil {
		return err
	}
	v.shadow.release(uintptr(v.b.Chunk(slot)), h.size)
	h.live = false
	return nil
}

// survivors checks the chunks that outlive the trace.
func (v *verifier) survivors() error {
	for slot := range v.held {
		if !v.held[slot].live {
			continue
		}
		if err := v.compare(uint32(slot), v.held[slot].size, "since it was stamped"); err != nil {
			return err
		}
	}
	return nil
}

// stampSize is how many bytes at either end of a chunk are stamped.
const stampSize = 8

// stamp writes both ends of a chunk. What a byte gets depends on its offset
// alone, so the ends of a short chunk may overlap.
func (v *verifier) stamp(slot uint32) {
	h, p := &v.held[slot], v.b.Chunk(slot)
	h.seed = (uint64(v.op) + 1) * 0x9e3779b97f4a7c15
	for _, end := range ends(h.size) {
		for i := end.from; i < end.to; i++ {
			*(*byte)(unsafe.Add(p, i)) = h.expected(i)
		}
	}
}

// compare reads the stamps back that were written when the chunk had stamped
// bytes, as far as the chunk still reaches.
func (v *verifier) compare(slot uint32, stamped int64, when string) error {
	h, p := &v.held[slot], v.b.Chunk(slot)
	for _, end := range ends(stamped) {
		for i := end.from; i < min(end.to, h.size); i++ {
			if got := *(*byte)(unsafe.Add(p, i)); got != h.expected(i) {
				return v.broken(slot, "byte %d has changed %s: it is %#02x, stamped was %#02x", i, when, got, h.expected(i))
			}
		}
	}
	return nil
}

// expected returns the stamp of the byte at offset i.
func (h *heldChunk) expected(i int64) byte {
	return byte(h.seed >> (i % 8 * 8))
}

// ends returns the two stamped stretches of a chunk.
func ends(size int64) [2]struct{ from, to int64 } {
	return [2]struct{ from, to int64 }{{0, min(stampSize, size)}, {max(size-stampSize, 0), size}}
}

// broken returns the error of a broken promise about the chunk in slot.
func (v *verifier) broken(slot uint32, problem string, args ...any) error {
	h := &v.held[slot]
	return &VerifyError{
		Op: v.op, Code: v.t.ops[v.op].Code(),
		Context: h.mc, Name: v.t.Context(h.mc).Name,
		Slot: slot, Addr: uintptr(v.b.Chunk(slot)), Size: h.size,
		Problem: fmt.Sprintf(problem, args...),
	}
}

// panicked returns the error of a back end that panicked with p.
func (v *verifier) panicked(p any) error {
	e := &VerifyError{Op: v.op, Slot: None, Context: None, Problem: fmt.Sprintf("the back end panicked: %v", p)}
	e.Err, _ = p.(error)
	if len(v.t.ops) > 0 {
		o := v.t.ops[v.op]
		e.Code = o.Code()
		if e.Context = o.mc; e.Code == OpRealloc {
			e.Context, _ = v.t.Resize(o)
		}
		e.Name = v.t.Context(e.Context).Name
	}
	return e
}
