/*
 * PostgreSQL's memory contexts as a program: runs one cell, as bench/README.md has it,
 * on PostgreSQL's own mmgr files, linked without the server.
 *
 * Invariant: the status is 3 when PostgreSQL does not have the workload for the kind, 1
 * when the cell failed. Cost: none that a clock sees.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "../postgres/bench.h"

#undef printf
#undef fprintf

int
main(int argc, char **argv)
{
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "pg18: wants KIND WORKLOAD [FILE], and got %d words\n", argc - 1);
		return 2;
	}
	MemoryContextInit();
	printf("%s\n", bench_run(argv[1], argv[2], argc == 4 ? argv[3] : NULL));
	return 0;
}
