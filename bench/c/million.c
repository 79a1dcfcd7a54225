// million-SIZE: a million chunks, which is more than the caches hold, and a reset. The first pass
// gets its memory from the system; the others get back what the reset has kept.

#include <stdio.h>
#include <stdlib.h>

#include "cell.h"
#include "peer.h"

enum { CHUNKS = 1000000, PASSES = 8 };

INLINE double pass(context *c, size_t size) {
	double begin = cpu_ns();
	void *last = NULL;
	for (int i = 0; i < CHUNKS; i++)
		last = written(alloc(c, size), last);
	reset(c, last);
	return (cpu_ns() - begin) / CHUNKS;
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void million(long size) {
	context root = create(NULL), c = create(&root);
	double cold = pass(&c, size), ns[PASSES];
	for (int i = 0; i < PASSES; i++)
		ns[i] = pass(&c, size);
	qsort(ns, PASSES, sizeof *ns, ascending);
	double median = (ns[PASSES / 2 - 1] + ns[PASSES / 2]) / 2;
	printf("{\"ns\":%.3f,\"cold\":%.3f}\n", median, cold);
}
