// Package backend has the allocators that a trace is replayed on:
//
//   - [Palloc]: contexts and chunks are those of palloc.
//   - [GoHeap]: each chunk is an object of Go's heap, and contexts are nothing: what
//     a program pays that leaves its memory to Go.
//   - [Floor]: every chunk is the same scratch buffer: what the replay itself costs.
//
// Each is ready to use as new(T) or as a literal. A back end serves one goroutine at
// a time. Each has a loop of its own over the ops, with direct calls of its
// allocator, so that what the allocator inlines into programs is inlined there, too.
// `palloc replay` and the cells of the bench run these loops.
package backend
