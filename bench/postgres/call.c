/*
 * A context for each call: created, used for a few chunks, deleted.
 *
 * Invariant: the context hangs below one that lives on, as those of a server
 * do, and has the default sizes, so that AllocSet's list of deleted contexts
 * serves it. Cost: next to the allocator's calls, one store a chunk.
 */
#include "bench.h"

#define CALLS 1000000
#define CHUNKS 10
#define CHUNK_SIZE 100

static void
call(BenchKind kind, MemoryContext parent, int calls)
{
	void *last = NULL;

	for (int i = 0; i < calls; i++) {
		MemoryContext mc = bench_create_default(kind, parent, CHUNK_SIZE);

		for (int j = 0; j < CHUNKS; j++) {
			void **chunk = MemoryContextAlloc(mc, CHUNK_SIZE);

			*chunk = last;
			last = chunk;
		}
		MemoryContextDelete(mc);
	}
}

char *
bench_call(const BenchCell *cell)
{
	MemoryContext parent = bench_create_default(BENCH_ALLOCSET, CurrentMemoryContext, 0);
	int64 start;
	int64 spent;

	call(cell->kind, parent, CALLS / 10);
	start = bench_cpu();
	call(cell->kind, parent, CALLS);
	spent = bench_cpu() - start;
	MemoryContextDelete(parent);
	return psprintf("{\"ns\":%.6g}", (double) spent / CALLS);
}
