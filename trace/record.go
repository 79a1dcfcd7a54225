package trace

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The recorder: makes a trace of calls.
//
// Invariant: a call that is refused adds no op; at most its name stays in the
// string table. Cost: as the builder's, plus one map lookup for each name or ident.

// maxIdent is where the format cuts an ident, in bytes.
const maxIdent = 120

// A Recorder records calls as a [Trace]. It numbers contexts and chunks. Every method
// returns an error, and records nothing, when the call cannot have happened: its
// context or chunk is not live, or a size is out of bounds.
//
// Make one with [NewRecorder]. A Recorder belongs to one goroutine at a time.
type Recorder struct {
	builder *builder
	strings map[string]uint32
}

// NewRecorder returns an empty recording.
func NewRecorder() *Recorder {
	return &Recorder{builder: newBuilder(), strings: make(map[string]uint32)}
}

// Trace ends the recording and returns it. The recorder must not be used after.
func (r *Recorder) Trace() *Trace { return r.builder.t }

// SetMeta adds a remark to the trace, or changes the one of that key.
func (r *Recorder) SetMeta(key, value string) {
	t := r.builder.t
	i := slices.IndexFunc(t.meta, func(m Meta) bool { return m.Key == key })
	if i < 0 {
		t.meta = append(t.meta, Meta{Key: key})
		i = len(t.meta) - 1
	}
	t.meta[i].Value = value
}

// Fork marks where the process itself starts: what was recorded before is
// inherited.
func (r *Recorder) Fork() {
	r.builder.t.counts.ForkOp = r.builder.t.counts.Ops
}

// Create records that a context was created under parent, or under [None], and
// returns its number.
func (r *Recorder) Create(parent uint32, c Context) (mc uint32, err error) {
	name, err := r.intern(c.Name)
	if err != nil {
		return None, err
	}
	mc = uint32(len(r.builder.contexts))
	return mc, r.refusal(OpCreate, 0, func() error { return r.builder.create(parent, define(c, name)) })
}

// Alloc records an allocation of size bytes and returns the number of the chunk.
// Flags are [Zero], [Current], [Huge] and [NoOOM].
func (r *Recorder) Alloc(mc uint32, size int64, flags Flags) (chunk uint32, err error) {
	chunk = uint32(len(r.builder.slotOf))
	return chunk, r.refusal(OpAlloc, flags, func() error { return r.builder.alloc(mc, size, flags) })
}

// Free records that a chunk was freed.
func (r *Recorder) Free(chunk uint32) error {
	return r.refusal(OpFree, 0, func() error { return r.builder.free(chunk) })
}

// Realloc records that a chunk has size bytes from now on. Its number stays.
// Flags are [Huge] and [NoOOM].
func (r *Recorder) Realloc(chunk uint32, size int64, flags Flags) error {
	return r.refusal(OpRealloc, flags, func() error { return r.builder.realloc(chunk, size, flags) })
}

// Release records one of the resets or deletes (see [Code.Releases]). The only
// flag is [NoOp], for an OpReset that found nothing to do.
func (r *Recorder) Release(how Code, mc uint32, flags Flags) error {
	if !how.Releases() {
		return fmt.Errorf("trace: %s is neither a reset nor a delete", how)
	}
	return r.refusal(how, flags, func() error { return r.builder.release(how, mc, flags) })
}

// SetParent records that a context moved under parent, or under [None].
func (r *Recorder) SetParent(mc, parent uint32) error {
	return r.refusal(OpSetParent, 0, func() error { return r.builder.setParent(mc, parent) })
}

// SetIdent records the ident of a context, "" for none. The format keeps its
// first 120 bytes.
func (r *Recorder) SetIdent(mc uint32, ident string) error {
	id := None
	if ident != "" {
		var err error
		if id, err = r.intern(ident[:min(len(ident), maxIdent)]); err != nil {
			return err
		}
	}
	return r.refusal(OpSetIdent, 0, func() error { return r.builder.setIdent(mc, id) })
}

// BeforeReset records that a callback was registered with a context.
func (r *Recorder) BeforeReset(mc uint32) error {
	return r.refusal(OpOnReset, 0, func() error { return r.builder.note(OpOnReset, mc, 0, 0) })
}

// Space records that the space of a chunk was asked for.
func (r *Recorder) Space(chunk uint32) error {
	return r.refusal(OpSpace, 0, func() error { return r.builder.space(chunk) })
}

// MemAllocated records that the allocated memory of a context was asked for. The only flag
// is [Recurse].
func (r *Recorder) MemAllocated(mc uint32, flags Flags) error {
	return r.refusal(OpMemAllocated, flags, func() error { return r.builder.note(OpMemAllocated, mc, 0, flags) })
}

// refusal appends a call; its error names the call.
func (r *Recorder) refusal(code Code, flags Flags, enter func() error) error {
	if !legal(code, flags) {
		return fmt.Errorf("trace: op %d: %s: flags %#02x do not belong to it", r.builder.t.counts.Ops, code, flags)
	}
	if r.builder.t.counts.Ops == maxCount {
		return errors.New("trace: the recording is full, it has 2^31-1 ops")
	}
	if err := enter(); err != nil {
		return fmt.Errorf("trace: op %d: %s: %w", r.builder.t.counts.Ops, code, err)
	}
	return nil
}

// intern returns the number of a string, adding it to the table if it is new.
func (r *Recorder) intern(s string) (uint32, error) {
	if i, ok := r.strings[s]; ok {
		return i, nil
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		return None, fmt.Errorf("trace: the string %q has a NUL byte at %d; the format keeps none", s, i)
	}
	table := &r.builder.t.text
	if len(s) > maxCount-len(table.text) {
		return None, errors.New("trace: the strings of the recording are full, they have 2^31-1 bytes")
	}
	table.add([]byte(s))
	i := uint32(table.len() - 1)
	r.strings[strings.Clone(s)] = i
	return i, nil
}
