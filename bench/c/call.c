// call: a context for a short call, with a few chunks, created and deleted.

#include <stdio.h>

#include "cell.h"
#include "peer.h"

enum { CALLS = 1000000, CHUNKS = 10, SIZE = 100 };

INLINE void calls(context *root, int n) {
	for (; n; n--) {
		context c = create(root);
		void *last = NULL;
		for (int i = 0; i < CHUNKS; i++)
			last = written(alloc(&c, SIZE), last);
		destroy(&c, last);
	}
}

void call(long unused) {
	context root = create(NULL);
	calls(&root, CALLS / 10);
	double begin = cpu_ns();
	calls(&root, CALLS);
	printf("{\"ns\":%.3f}\n", (cpu_ns() - begin) / CALLS);
}
