// The pools of the Apache Portable Runtime. A thread's first pool has an allocator of its own, without
// a lock, as in a server with threads; the pools below it take their blocks from there. No chunk is freed alone.

#pragma once

#include <apr_general.h>
#include <apr_pools.h>

#define HAS_CONTEXTS 1
#define HAS_FREE 0
#define IS_FLOOR 0

typedef apr_pool_t *context;

INLINE void start(void) {
	apr_initialize();
}

INLINE context create(context *parent) {
	context c = NULL;
	if (parent)
		apr_pool_create(&c, *parent);
	else
		apr_pool_create_unmanaged(&c);
	return c;
}

INLINE void *alloc(context *c, size_t size) {
	return apr_palloc(*c, size);
}

INLINE void *alloc_cleared(context *c, size_t size) {
	return apr_pcalloc(*c, size);
}

INLINE void reset(context *c, void *last) {
	apr_pool_clear(*c);
}

INLINE void destroy(context *c, void *last) {
	apr_pool_destroy(*c);
}
