// Package trace has recordings of memory traffic: the calls that a program made of
// its memory contexts, in order. It reads and writes the .mctrace format (version 1,
// plain or gzip'd), records, and verifies an allocator against a recording.
//
// Terminology:
//
//   - op: one recorded call, such as an allocation or the reset of a context.
//   - context: a named pool of memory, numbered 0, 1, 2 ... in the order of
//     creation. Numbers are not reused.
//   - chunk: one allocation. It is numbered like a context, and a resize keeps
//     its number.
//   - slot: where a replay keeps the address of a live chunk. Slots are reused,
//     the last freed first, so that MaxLive of them are enough.
//   - deaths: the chunks and contexts that one reset or delete ends. They are
//     computed when a trace is read, so that a back end whose resets
//     drop chunks one by one needs no bookkeeping of its own.
//
// The life of a trace: [Read] checks every rule of the format and returns a
// [Trace], a flat array of [Op] without pointers, which the garbage collector
// does not scan. A [Backend] plays it on an allocator; package trace/backend has
// three. [Verify] does so with every check. A [Recorder] makes a Trace from calls, and
// [Write] turns it into bytes.
//
//	t, err := trace.ReadFile("pgbench_tpcb.mctrace.gz")
//	if err != nil {
//		return err // a *trace.FormatError, with the offset of the damage
//	}
//	b := new(backend.Palloc)
//	b.Begin(t)
//	b.Play(t.Ops())
//	b.End()
//
// A Trace is immutable once made and may be read by many goroutines; a Backend
// and a Recorder belong to one goroutine at a time.
package trace
