// Samba's talloc: a context is a chunk without contents, and to reset it is to free its children.
// Each chunk knows its parent and its siblings, so that all of them can be freed, at a walk's cost.

#pragma once

#include <talloc.h>

#define HAS_CONTEXTS 1
#define HAS_FREE 1
#define IS_FLOOR 0

typedef void *context;

INLINE void start(void) {}

INLINE context create(context *parent) {
	return talloc_new(parent ? *parent : NULL);
}

INLINE void *alloc(context *c, size_t size) {
	return talloc_size(*c, size);
}

INLINE void *alloc_cleared(context *c, size_t size) {
	return talloc_zero_size(*c, size);
}

INLINE void release(context *c, void *chunk) {
	talloc_free(chunk);
}

INLINE void *resize(context *c, void *chunk, size_t size) {
	return talloc_realloc_size(*c, chunk, size);
}

INLINE void reset(context *c, void *last) {
	talloc_free_children(*c);
}

INLINE void destroy(context *c, void *last) {
	talloc_free(*c);
}
