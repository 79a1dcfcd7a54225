// Package palloc provides PostgreSQL's memory contexts: named pools of memory in a tree,
// outside Go's heap. The memory of a pool is freed all at once, or piece by piece.
//
//	query := palloc.NewAllocSet(palloc.Top(), "query")
//	defer query.Delete()
//	n := palloc.New[Node](query) // zeroed, invisible to the garbage collector
//
// Go values may point into a context: variables, struct fields, slices and maps may hold
// what [New], [MakeSlice] and [CloneString] return, and sort, container/heap and
// hash/maphash work on it. What they return is valid until its context is reset or deleted.
//
// A context must not hold Go pointers: pointers, slices, strings, maps, channels, funcs and
// interfaces that lead to Go's heap. The collector does not scan contexts, so it frees an
// object to which only a context points. Types with pointers are therefore refused, unless
// they embed [NoHeapPointers]. That is a promise that their pointers lead into contexts or
// to static data; where each pointer leads is not checked. To keep a string or bytes as a
// string in a context, copy it with [CloneString]; to keep a slice, with [Clone]. To keep
// either beyond the context, copy it to Go's heap with strings.Clone or slices.Clone.
// A struct of [Text], [Ref] and [Vec] instead of strings, pointers and slices needs no
// promise, and cannot refer to Go's heap:
//
//	type user struct {
//		id   int
//		name palloc.Text
//	}
//	u := palloc.New[user](query)
//	u.name = palloc.NewText(query, name) // a string or bytes
//
// The package has:
//
//   - Contexts: [NewAllocSet], [NewSlab], [NewGeneration], [NewBump], [Top], [Scope];
//     [Context.Reset], [Context.Delete], [Context.BeforeReset], [Tie].
//   - Values: [New], [Free]; [MakeSlice], [Append], [Grow], [Clone], [FreeSlice];
//     [MakeStrings], [MakePointers], [CloneStrings]; [NewText], [NewRef], [RefOf], [Vec]; [CloneValue];
//     [CloneString], [JoinStrings], [Sprintf], [FreeString]; [AppendString], [AppendInt];
//     [Buffer].
//   - Try functions: when memory runs out [New], [Append] and others panic; [TryNew],
//     [TryAppend] and others return the [*OutOfMemoryError] instead. Misuse panics in both.
//   - Budgets: [Context.SetLimit], [Context.SetSoftLimit], [Context.OnPressure],
//     [Context.CancelWaits]; [ShareMemoryLimit], [Trim], [SetRetention].
//   - Statistics: [Context.Stats], [Context.Budget], [Context.WriteStats], [TakeSnapshot],
//     [PageHeap]; [Leaks], [Context.Check], [Context.Layout].
//   - Bytes without a type: [Context.Alloc], [Realloc], [FreePointer], [UsableSize].
//   - Critical sections, and other counterparts of PostgreSQL's: [Context.EnterCritical],
//     [Emergency]; docs/POSTGRES.md lists the counterpart of each of PostgreSQL's functions.
//
// # Ownership
//
// A context belongs to one goroutine at a time, its owner; a chunk to the owner of its
// context. Another goroutine becomes the owner when the context is handed over, by a
// channel or under a lock. Each function says who may call it:
//
//   - "Owner only.": the goroutine that owns the context. In a context created with
//     [Shared], any goroutine may, but Reset, ResetOnly, Delete, Check and Layout need all others
//     to have stopped using it.
//   - "Any goroutine.": every goroutine, at any time, whatever the owner does meanwhile.
//
// The tree belongs to no goroutine: any one may create children of a context and read its
// statistics. Deleting or resetting a context needs the ownership of it and of all contexts
// below it. Statistics and snapshots are ordinary Go values.
//
// # Rules
//
//   - Misuse panics with a [*Fault]: a double free, a deleted context, a negative size.
//     Running out of memory panics with an [*OutOfMemoryError]; a Try function returns
//     it, and [Scope] recovers and returns it.
//   - Reset and Delete of a context delete all contexts below it, children before parents.
//     Callbacks of [Context.BeforeReset] run before the memory is taken back.
//   - Nothing in a context may be used after its reset or deletion. Reading or writing it
//     is not noticed.
//   - The collector and GOMEMLIMIT do not count this memory; [ShareMemoryLimit] puts Go's
//     heap and contexts under one total. A program that moves its data here has a small Go
//     heap, which the default GOGC collects often: raise GOGC.
//
// # Figures
//
// One name means one quantity everywhere, in bytes; the table gives its scope:
//
//	        what it counts                      Stats    Budget   OutOfMemoryError  PageHeapStats
//	Held    blocks that contexts hold           context  subtree  subtree           process
//	Used    of Held: live chunks with headers,  context
//	        and the heads of blocks
//	Free    of Held: what is not Used           context
//	Peak    the most that Held was                       subtree
//	Limit   the most that Held may be                    subtree  subtree
//
// The scope is one context; a subtree, which is a context and all contexts below it; or all
// contexts of the process, with the blocks cached for deleted ones. [Context.Held] is of one
// context, [Context.TreeHeld], Leak and Dropped are of a subtree. In an OutOfMemoryError the
// subtree is that of the context whose limit was reached.
//
// # Words
//
//   - context: a named pool of memory with a lifetime; a node of the tree. Variables are
//     called mc, never ctx.
//   - kind: how a context allocates: AllocSet, Slab, Generation or Bump.
//   - chunk: one allocation.
//   - header: the 8 bytes before a chunk that name its context; a Bump has none.
//   - block: a run of memory that one context holds and cuts into chunks.
//   - keeper: the block that a context keeps over a reset.
//   - page heap: where contexts acquire and release blocks. It reserves address space from
//     the system, and keeps released blocks for the next request, within a bound.
//   - span: freed chunks side by side that were joined.
//   - reset: take back every chunk of a context, and delete its children.
//   - delete: reset a context and end it.
//   - node: the 256-byte record that a Context refers to. Its memory only ever holds nodes,
//     so that a Context can be checked at any time.
//   - epoch: a number that tells the successive uses of a node apart. A Context holds the
//     epoch of its creation, so that its use after the deletion is noticed.
//   - budget: the limits of a context and of all contexts below it, and what they hold. The
//     budget is opened by the first function that needs it, and closed when none does.
//   - off-heap: outside Go's heap. The collector neither scans nor frees it.
//
// # Life of a chunk
//
// Alloc compares the epoch of the Context with that of its node. It takes a freed chunk of
// the size from a free list; otherwise it cuts one off the current block. When the block is
// full, an AllocSet cuts one off a free span, and a Generation uses the freed chunks of a
// sparse block; otherwise the context acquires a block from the page heap. Free follows the
// pointer to the header and the header to the node, and checks that the two agree. Reset
// changes the node's cookie, which invalidates all headers written before, and releases the
// blocks, except for the keeper, to the page heap.
package palloc
