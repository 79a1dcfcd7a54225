// grow-1: a buffer that doubles from 1 KiB to 1 MiB while it is filled; grow-2: two that double in
// turn, so that neither can grow in place for ever.

#include <stdio.h>
#include <string.h>

#include "cell.h"
#include "peer.h"

#if HAS_FREE

enum { FIRST = 1 << 10, LAST = 1 << 20, TIMES = 2000, MOST = 2 };

// filled fills the chunk from one offset to another.
INLINE char *filled(char *chunk, size_t from, size_t to) {
	memset((char *)usable(chunk) + from, 0x5a, to - from);
	return usable(chunk);
}

INLINE void times(context *c, int n, int buffers) {
	for (; n; n--) {
		char *b[MOST];
		for (int i = 0; i < buffers; i++)
			b[i] = filled(alloc(c, FIRST), 0, FIRST);
		for (size_t size = FIRST; size < LAST; size *= 2)
			for (int i = 0; i < buffers; i++)
				b[i] = filled(resize(c, b[i], 2 * size), size, 2 * size);
		for (int i = 0; i < buffers; i++)
			release(c, b[i]);
	}
}

void grow(long buffers) {
	context root = create(NULL), c = create(&root);
	times(&c, TIMES / buffers / 20, buffers);
	double begin = cpu_ns();
	times(&c, TIMES / buffers, buffers);
	printf("{\"ns\":%.1f}\n", (cpu_ns() - begin) / TIMES);
}

#endif
