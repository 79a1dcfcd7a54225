package main

import (
	"github.com/gopalloc/palloc/trace"
)

// Recordings of one operation each, many times over, so that what an operation costs can
// be counted by the same loops that replay what backends did.
//
// Invariant: a recording has unitRounds rounds of its unit in one context, and nothing else
// but that context. Cost: some ten
// thousand ops each.

const unitRounds = 20_000

// unit is an operation, or a few that belong together.
type unit struct {
	name string
	what string
	once func(r *trace.Recorder, mc uint32) error // records a round
}

// units are all. The first does nothing.
var units = []unit{
	{"nothing", "", func(*trace.Recorder, uint32) error { return nil }},
	{"pair", "64 bytes: allocate, free", pairOf(64, 0)},
	{"pair-zeroed", "64 zeroed bytes: allocate, free", pairOf(64, trace.Zero)},
	{"pair-2k", "2 KiB: allocate, free", pairOf(2048, 0)},
	{"pair-large", "20 KiB, a block of its own: allocate, free", pairOf(20<<10, 0)},
	{"reset-nothing", "reset, nothing to do", reset},
	{"reset-ten", "ten chunks of 100 bytes, reset", filled(10, 100)},
	{"reset-blocks", "forty chunks of 1000 bytes, reset: new blocks each time", filled(40, 1000)},
	{"context-empty", "create, delete", life(0, "")},
	{"context", "create, ten chunks of 100 bytes, delete", life(10, "")},
	{"context-ident", "create, set an ident, delete", life(0, "SELECT 1")},
	{"children-none", "delete the children, there are none", release(trace.OpDeleteChildren)},
}

// recording returns the recording of the unit.
func (u unit) recording() (*trace.Trace, error) {
	r := trace.NewRecorder()
	mc, err := r.Create(trace.None, trace.Context{Kind: trace.AllocSet, Name: "unit", InitSize: 8 << 10, MaxSize: 8 << 20})
	for i := 0; i < unitRounds && err == nil; i++ {
		err = u.once(r, mc)
	}
	if err == nil {
		err = r.Release(trace.OpDelete, mc, 0)
	}
	return r.Trace(), err
}

func pairOf(size int64, flags trace.Flags) func(*trace.Recorder, uint32) error {
	return func(r *trace.Recorder, mc uint32) error {
		chunk, err := r.Alloc(mc, size, flags)
		if err == nil {
			err = r.Free(chunk)
		}
		return err
	}
}

func reset(r *trace.Recorder, mc uint32) error { return r.Release(trace.OpReset, mc, trace.NoOp) }

func release(how trace.Code) func(*trace.Recorder, uint32) error {
	return func(r *trace.Recorder, mc uint32) error { return r.Release(how, mc, 0) }
}

func filled(chunks int, size int64) func(*trace.Recorder, uint32) error {
	return func(r *trace.Recorder, mc uint32) (err error) {
		for i := 0; i < chunks && err == nil; i++ {
			_, err = r.Alloc(mc, size, 0)
		}
		if err == nil {
			err = r.Release(trace.OpReset, mc, 0)
		}
		return err
	}
}

func life(chunks int, ident string) func(*trace.Recorder, uint32) error {
	return func(r *trace.Recorder, parent uint32) error {
		mc, err := r.Create(parent, trace.Context{Kind: trace.AllocSet, Name: "call", InitSize: 8 << 10, MaxSize: 8 << 20})
		if err == nil && ident != "" {
			err = r.SetIdent(mc, ident)
		}
		for i := 0; i < chunks && err == nil; i++ {
			_, err = r.Alloc(mc, 100, 0)
		}
		if err == nil {
			err = r.Release(trace.OpDelete, mc, 0)
		}
		return err
	}
}
