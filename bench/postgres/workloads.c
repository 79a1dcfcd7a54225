/*
 * The workloads by name, and the kinds that each can use.
 *
 * Invariant: a workload that this version or this kind does not have is refused
 * with SQLSTATE 0A000, which a caller can tell from failures. Cost: a search of
 * a short table, before any clock starts.
 */
#include "bench.h"

static const char *const kind_names[BENCH_KINDS] = {"allocset", "slab", "generation", "bump"};

#define ONE(kind) (1 << (kind))
#define ANY_SIZE (ONE(BENCH_ALLOCSET) | ONE(BENCH_GENERATION)) /* and single chunks are freed */
#define FREEING (ANY_SIZE | ONE(BENCH_SLAB))
#define BULK (ANY_SIZE | ONE(BENCH_BUMP))
#define ALL (FREEING | ONE(BENCH_BUMP))
#define RECORDED 0 /* the file says which kinds */

static const struct {
	const char *name;
	int number;
	int kinds;
	BenchWorkload run;
} workloads[] = {
	{"cached-64", 64, ALL, bench_cached},
	{"cached-64-zeroed", 64, ALL, bench_cached_zeroed},
	{"million-16", 16, ALL, bench_million},
	{"million-64", 64, ALL, bench_million},
	{"million-256", 256, ALL, bench_million},
	{"pair-64", 64, FREEING, bench_pair},
	{"churn", 0, ANY_SIZE, bench_churn},
	{"queue-128", 128, FREEING, bench_queue},
	{"call", 0, BULK, bench_call},
	{"grow-1", 1, ANY_SIZE, bench_grow},
	{"grow-2", 2, ANY_SIZE, bench_grow},
	{"trees-1", 1, BULK, bench_trees},
	{"trace", 0, RECORDED, bench_trace},
	{"trace-touched", 0, RECORDED, bench_trace_touched},
	{"trace-floor", 0, RECORDED, bench_trace_floor},
	{"passes-2", 2, RECORDED, bench_passes},
	{"passes-4", 4, RECORDED, bench_passes},
	{"passes-floor-2", 2, RECORDED, bench_passes_floor},
	{"passes-floor-4", 4, RECORDED, bench_passes_floor},
};

/* The index of the workload of that name. */
static int
find_workload(const char *name)
{
	for (int i = 0; i < lengthof(workloads); i++)
		if (name && strcmp(workloads[i].name, name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("workload \"%s\" is none of those with PostgreSQL's contexts: the table in workloads.c has them",
					name ? name : "")));
}

/* Returns the kind of that name, which must be one of those in the set. */
static BenchKind
find_kind(const char *name, int set, const char *workload)
{
	int kind = 0;

	while (kind < BENCH_KINDS && (!name || strcmp(kind_names[kind], name) != 0))
		kind++;
	if (kind == BENCH_KINDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kind \"%s\" is unknown: give allocset, slab, generation or bump", name ? name : "")));
	if (kind == BENCH_BUMP && !BENCH_HAS_BUMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("PostgreSQL %s has no bump contexts: run it on version 17 or later", PG_VERSION)));
	if (!(set & ONE(kind)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a context of kind %s cannot run workload %s: choose another kind", name, workload)));
	return kind;
}

char *
bench_run(const char *kind, const char *workload, const char *file)
{
	int i = find_workload(workload);
	BenchCell cell = {.number = workloads[i].number, .file = file};

	if (workloads[i].kinds != RECORDED)
		cell.kind = find_kind(kind, workloads[i].kinds, workload);
	else if (!cell.file)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("workload %s wants a file and got none: give the path of a flat trace", workload)));
	return workloads[i].run(&cell);
}
