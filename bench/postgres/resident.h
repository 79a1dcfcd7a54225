/*
 * The resident size of this process.
 *
 * Invariant: sizes are in bytes. Cost: none, it is declarations.
 */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

#include "postgres.h"

/* Forgets the peak so far and returns the size of now. */
/*
 * Gives back what the backend freed before, so that it serves no first pass
 * uncounted: a fresh process has nothing either.
 */
extern void resident_trim(void);
extern int64 resident_begin(void);

/* The peak since resident_begin. */
extern int64 resident_peak(void);

#endif
