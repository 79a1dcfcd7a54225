/*
 * What every workload sees: the cell it is to run, the clocks, and each other's
 * entry.
 *
 * Invariant: a workload hangs its contexts below CurrentMemoryContext, so that
 * an error in its midst leaves none behind. Cost: none, it is declarations.
 */
#ifndef BENCH_H
#define BENCH_H

#include "postgres.h"

#include <time.h>

#include "kinds.h"

/* One workload at one kind. */
typedef struct BenchCell {
	BenchKind kind;   /* no meaning for traces */
	int number;       /* that the name of the workload has, or 0 */
	const char *file; /* a flat trace, or NULL */
} BenchCell;

/* A workload runs the cell and returns its figures as a line of JSON. */
typedef char *(*BenchWorkload)(const BenchCell *cell);

extern char *bench_cached(const BenchCell *cell);
extern char *bench_cached_zeroed(const BenchCell *cell);
extern char *bench_million(const BenchCell *cell);
extern char *bench_pair(const BenchCell *cell);
extern char *bench_churn(const BenchCell *cell);
extern char *bench_queue(const BenchCell *cell);
extern char *bench_call(const BenchCell *cell);
extern char *bench_grow(const BenchCell *cell);
extern char *bench_trees(const BenchCell *cell);
extern char *bench_trace(const BenchCell *cell);
extern char *bench_trace_touched(const BenchCell *cell);
extern char *bench_trace_floor(const BenchCell *cell);
extern char *bench_passes(const BenchCell *cell);
extern char *bench_passes_floor(const BenchCell *cell);

/* Runs a workload by the names of it and of a kind. */
extern char *bench_run(const char *kind, const char *workload, const char *file);

/* The median of n times, which are sorted on the way. */
extern double bench_median(double *times, int n);

static inline int64
bench_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CPU time of the process, in nanoseconds. */
static inline int64
bench_cpu(void)
{
	return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Time on the wall, in nanoseconds. */
static inline int64
bench_wall(void)
{
	return bench_clock(CLOCK_MONOTONIC);
}

#endif
