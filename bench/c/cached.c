// cached-64: a hundred chunks, which stay in the processor's cache, and a reset, over and over;
// cached-64-zeroed: with chunks that the allocator clears.

#include <stdio.h>

#include "cell.h"
#include "peer.h"

enum { ROUNDS = 200000, CHUNKS = 100, SIZE = 64 };

INLINE void *chunk(context *c, bool clear) {
#if !IS_FLOOR
	if (clear)
		return alloc_cleared(c, SIZE);
#endif
	return alloc(c, SIZE);
}

INLINE void rounds(context *c, int n, bool clear) {
	for (; n; n--) {
		void *last = NULL;
		for (int i = 0; i < CHUNKS; i++)
			last = written(chunk(c, clear), last);
		reset(c, last);
	}
}

INLINE void measure(bool clear) {
	context root = create(NULL), c = create(&root);
	rounds(&c, ROUNDS / 10, clear);
	double begin = cpu_ns();
	rounds(&c, ROUNDS, clear);
	printf("{\"ns\":%.3f}\n", (cpu_ns() - begin) / ((double)ROUNDS * CHUNKS));
}

void cached(long clear) {
	if (clear)
		measure(true);
	else
		measure(false);
}
