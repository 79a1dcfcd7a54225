/*
 * The kinds of memory contexts, and how each is created.
 *
 * Invariant: the numbers are those of flat traces. Cost: inlined, for a
 * workload may create contexts by the million; the kind is the same each time.
 */
#ifndef BENCH_KINDS_H
#define BENCH_KINDS_H

#include "postgres.h"

#include "utils/memutils.h"

typedef enum BenchKind {
	BENCH_ALLOCSET,
	BENCH_SLAB,
	BENCH_GENERATION,
	BENCH_BUMP,
	BENCH_KINDS
} BenchKind;

/* Bump contexts came with version 17. */
#define BENCH_HAS_BUMP (PG_VERSION_NUM >= 170000)

/*
 * Creates a context of any kind. The sizes are the three that an AllocSet wants,
 * or block size and chunk size of a Slab. The name may come from a file, which
 * the macro AllocSetContextCreate would not take.
 */
static inline MemoryContext
bench_create(BenchKind kind, MemoryContext parent, const char *name, Size a, Size b, Size c)
{
	switch (kind) {
	case BENCH_ALLOCSET:
		return AllocSetContextCreateInternal(parent, name, a, b, c);
	case BENCH_SLAB:
		return SlabContextCreate(parent, name, a, b);
	case BENCH_GENERATION:
		return GenerationContextCreate(parent, name, a, b, c);
#if BENCH_HAS_BUMP
	case BENCH_BUMP:
		return BumpContextCreate(parent, name, a, b, c);
#endif
	default:
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("context \"%s\" is of kind %d, which PostgreSQL %s does not have: run it on a later server",
						name, (int) kind, PG_VERSION)));
	}
}

/* Creates a context with PostgreSQL's default sizes; chunk is for Slab alone. */
static inline MemoryContext
bench_create_default(BenchKind kind, MemoryContext parent, Size chunk)
{
	if (kind == BENCH_SLAB)
		return bench_create(kind, parent, "palloc_bench", SLAB_DEFAULT_BLOCK_SIZE, chunk, 0);
	return bench_create(kind, parent, "palloc_bench", ALLOCSET_DEFAULT_SIZES);
}

#endif
