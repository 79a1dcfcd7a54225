// The least that C can do: a pointer that moves through one mapping until its end. Nothing is kept or
// counted, and a chunk takes no more than its own bytes. A context that is destroyed leaves its mapping to
// its thread's next one; a mapping is address space until it is written to.

#pragma once

#include <sys/mman.h>

#define HAS_CONTEXTS 1
#define HAS_FREE 0
#define IS_FLOOR 1

typedef struct {
	char *next, *first, *end;
} context;

static const size_t mapping = (size_t)1 << 30;

static _Thread_local char *spare; // mappings, each with the address of the next in its first word

INLINE void start(void) {}

INLINE context create(context *parent) {
	char *first = spare;
	if (first) {
		spare = *(char **)first;
	} else {
		first = mmap(NULL, mapping, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (first == MAP_FAILED)
			fail("the system has no mapping of 1 GiB for a context");
	}
	return (context){first, first, first + mapping};
}

INLINE void *alloc(context *c, size_t size) {
	char *chunk = c->next;
	size = (size + 7) & ~(size_t)7;
	if (__builtin_expect(size > (size_t)(c->end - chunk), 0))
		return NULL;
	c->next = chunk + size;
	return chunk;
}

INLINE void reset(context *c, void *last) {
	c->next = c->first;
}

INLINE void destroy(context *c, void *last) {
	*(char **)c->first = spare;
	spare = c->first;
}
