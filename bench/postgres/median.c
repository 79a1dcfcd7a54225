/*
 * The median of the times of some passes.
 *
 * Invariant: of an even number of times it is the mean of the middle two. Cost:
 * one sort, after all clocks have stopped.
 */
#include "bench.h"

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

double
bench_median(double *times, int n)
{
	qsort(times, n, sizeof(*times), by_size);
	return (times[(n - 1) / 2] + times[n / 2]) / 2;
}
