// Package palloc brings PostgreSQL's memory contexts to Go: named pools of
// memory in a tree, outside Go's heap, bought wholesale from the system, sold
// retail, and taken back all at once.
//
//	query := palloc.NewAllocSet(palloc.Top(), "query")
//	defer query.Delete()
//	n := palloc.New[Node](query) // zeroed, invisible to the collector
//
// # Words
//
//   - context: a named pool of memory with a lifetime; a node of the tree. The
//     variable is called mc, never ctx.
//   - kind: the way a context sells memory: AllocSet, Slab, Generation, Bump.
//   - block: memory bought wholesale: a run of pages that one context owns.
//   - keeper: the block of a context that survives a reset.
//   - chunk: memory sold retail: one allocation.
//   - header: the 8 bytes before a chunk that say whose it is; a Bump has none.
//   - reset: take back every chunk of a context, and delete its children.
//   - delete: reset, then the context itself is gone.
//   - core: what a Context leads to; its memory only ever holds cores.
//   - epoch: a core's count of lives; a Context of an earlier life is noticed.
//   - off-heap: outside Go's heap; the collector neither scans nor frees it.
//
// # Life of a chunk
//
// Alloc checks that the handle's epoch is the core's. A freed chunk of the right
// size is taken off its freelist; else one is cut off the current block; else, in an
// AllocSet, off freed chunks that were joined, and in a Generation off those of a sparse
// block; else a block is bought from the warehouse, which cuts it from address space that it
// reserved in large regions. Free follows the pointer to the header and the
// header to the core, and the two must agree. Reset changes what the core agrees
// with, so that no header sold before is genuine any more, and gives the blocks
// back to the warehouse, which keeps them for the next buyer within a bound.
//
// # Limits
//
// SetLimit bounds what a context and all below it hold. Before a limit refuses, the
// functions of [Context.OnPressure] and [Context.OnPressureOwned] are asked to free
// memory; [Context.Compact] makes blocks of what they freed. [Context.Budget] says how
// much is held, and an [*OutOfMemoryError] who holds it.
//
// # Rules
//
//   - A type with Go pointers is refused, unless it embeds [NoHeapPointers].
//   - A context belongs to one goroutine at a time; its tree does not.
//   - Children die before their parents, and callbacks run before the memory
//     goes.
//   - Misuse panics with a [*Fault]; running out is an [*OutOfMemoryError].
//   - Nothing that lies in a context may be used after its reset or deletion.
//
// The collector does not see this memory, nor does GOMEMLIMIT, unless
// [ShareMemoryLimit] keeps both below one total. A program that moves its data here
// has a small Go heap, which the default GOGC collects often; raise GOGC.
package palloc
