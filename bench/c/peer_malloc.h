// malloc and free: glibc's, or those of the library that is linked in front of it. There are no
// contexts: to take one back is to walk its chunks and free each.

#pragma once

#include <stdlib.h>

#define HAS_CONTEXTS 0
#define HAS_FREE 1
#define IS_FLOOR 0

typedef struct {
} context;

INLINE void start(void) {}

INLINE context create(context *parent) {
	return (context){};
}

INLINE void *alloc(context *c, size_t size) {
	return malloc(size);
}

INLINE void *alloc_cleared(context *c, size_t size) {
	return calloc(1, size);
}

INLINE void release(context *c, void *chunk) {
	free(chunk);
}

INLINE void *resize(context *c, void *chunk, size_t size) {
	return realloc(chunk, size);
}

INLINE void reset(context *c, void *last) {
	while (last) {
		void *before = *(void **)last;
		free(last);
		last = before;
	}
}

INLINE void destroy(context *c, void *last) {
	reset(c, last);
}
