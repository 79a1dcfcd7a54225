// What the workloads share: their names for main.c, and the two clocks.

#pragma once

#include <time.h>

// Each runs one cell and prints its figures. The number is of what the file of the workload says.
void cached(long clear);
void call(long);
void churn(long threads);
void grow(long buffers);
void million(long size);
void pair(long size);
void queue(long size);
void trees(long threads);

static inline double clock_ns(clockid_t id) {
	struct timespec t;
	clock_gettime(id, &t);
	return 1e9 * t.tv_sec + t.tv_nsec;
}

// cpu_ns is the time that the whole process has had a processor.
static inline double cpu_ns(void) {
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline double wall_ns(void) {
	return clock_ns(CLOCK_MONOTONIC);
}
