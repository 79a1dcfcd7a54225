// queue-128: first in, first out. A ring of chunks, the oldest of which is freed when one comes in.

#include <stdint.h>
#include <stdio.h>

#include "cell.h"
#include "peer.h"

#if HAS_FREE

enum { SLOTS = 4096, STEPS = 20000000 };

static void *ring[SLOTS];

// steps goes on at slot next, and says where it stopped.
INLINE unsigned steps(context *c, unsigned next, uintptr_t n, size_t size) {
	for (; n; n--) {
		void *chunk = written(alloc(c, size), (void *)n);
		void *oldest = ring[next];
		ring[next] = chunk;
		release(c, oldest);
		next = (next + 1) % SLOTS;
	}
	return next;
}

void queue(long size) {
	context root = create(NULL), c = create(&root);
	for (uintptr_t i = 0; i < SLOTS; i++)
		ring[i] = written(alloc(&c, size), (void *)i);
	unsigned next = steps(&c, 0, STEPS / 10, size);
	double begin = cpu_ns();
	steps(&c, next, STEPS, size);
	printf("{\"ns\":%.3f}\n", (cpu_ns() - begin) / STEPS);
}

#endif
