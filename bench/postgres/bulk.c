/*
 * Workloads that allocate many chunks and take them back with a reset.
 *
 * Invariant: each chunk holds the address of the chunk before it. Cost: next to
 * the allocator's call, one store a chunk.
 */
#include "bench.h"

#include "miscadmin.h"

#define CACHED_ROUNDS 200000
#define CACHED_CHUNKS 100
#define MILLION 1000000
#define PASSES 9

typedef void *(*Allocate)(MemoryContext mc, Size size);

/* Inlined with a constant function, so that its calls are direct. */
static pg_attribute_always_inline void
fill_and_reset(MemoryContext mc, Size size, int chunks, int rounds, Allocate allocate)
{
	void *last = NULL;

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < chunks; i++) {
			void **chunk = allocate(mc, size);

			*chunk = last;
			last = chunk;
		}
		MemoryContextReset(mc);
	}
}

static pg_attribute_always_inline char *
cached(const BenchCell *cell, Allocate allocate)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, cell->number);
	int64 start;
	int64 spent;

	fill_and_reset(mc, cell->number, CACHED_CHUNKS, CACHED_ROUNDS / 10, allocate);
	start = bench_cpu();
	fill_and_reset(mc, cell->number, CACHED_CHUNKS, CACHED_ROUNDS, allocate);
	spent = bench_cpu() - start;
	MemoryContextDelete(mc);
	return psprintf("{\"ns\":%.6g}", (double) spent / CACHED_CHUNKS / CACHED_ROUNDS);
}

char *
bench_cached(const BenchCell *cell)
{
	return cached(cell, MemoryContextAlloc);
}

char *
bench_cached_zeroed(const BenchCell *cell)
{
	return cached(cell, MemoryContextAllocZero);
}

char *
bench_million(const BenchCell *cell)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, cell->number);
	double pass[PASSES];

	for (int i = 0; i < PASSES; i++) {
		int64 start;

		CHECK_FOR_INTERRUPTS();
		start = bench_cpu();
		fill_and_reset(mc, cell->number, MILLION, 1, MemoryContextAlloc);
		pass[i] = (double) (bench_cpu() - start) / MILLION;
	}
	MemoryContextDelete(mc);
	return psprintf("{\"ns\":%.6g,\"cold\":%.6g}", bench_median(pass + 1, PASSES - 1), pass[0]);
}
