// The cell of one C allocator: runs the workload that it is told by name, and prints one line of
// figures. A workload that the allocator does not have is status 3, and nothing is printed.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "peer.h"

static const struct {
	const char *name;
	void (*run)(long);
	long number;
} workloads[] = {
	{"cached-64", cached, false},
	{"million-16", million, 16},
	{"million-64", million, 64},
	{"million-256", million, 256},
	{"trees-1", trees, 1},
	{"trees-2", trees, 2},
#if !IS_FLOOR
	{"cached-64-zeroed", cached, true},
	{"call", call, 0},
#endif
#if HAS_FREE
	{"pair-64", pair, 64},
	{"churn", churn, 1},
	{"churn-2", churn, 2},
	{"queue-128", queue, 128},
	{"grow-1", grow, 1},
	{"grow-2", grow, 2},
#endif
};

_Noreturn void fail(const char *what) {
	fprintf(stderr, "%s\n", what);
	exit(1);
}

int main(int argc, char **argv) {
	if (argc < 2)
		fail("no workload was named; run with one of those in bench/README.md");
	for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
		if (strcmp(argv[1], workloads[i].name) == 0) {
			start();
			workloads[i].run(workloads[i].number);
			return 0;
		}
	return 3;
}
