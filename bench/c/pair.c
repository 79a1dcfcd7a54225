// pair-64: one chunk, allocated and freed at once.

#include <stdint.h>
#include <stdio.h>

#include "cell.h"
#include "peer.h"

#if HAS_FREE

enum { PAIRS = 20000000 };

INLINE void pairs(context *c, uintptr_t n, size_t size) {
	for (; n; n--)
		release(c, written(alloc(c, size), (void *)n));
}

void pair(long size) {
	context root = create(NULL), c = create(&root);
	pairs(&c, PAIRS / 10, size);
	double begin = cpu_ns();
	pairs(&c, PAIRS, size);
	printf("{\"ns\":%.3f}\n", (cpu_ns() - begin) / PAIRS);
}

#endif
