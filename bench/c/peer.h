// The interface that every allocator is measured through. It is chosen when compiling, so that
// its calls are the ones that a program of its own would have, never calls through a pointer:
//
//	cc -O2 -std=gnu11 -pthread -DPEER='"peer_malloc.h"' -o OUT bench/c/*.c            (glibc)
//	the same with -ljemalloc, with -lmimalloc, with -ltcmalloc_minimal
//	... -DPEER='"peer_talloc.h"' ... -ltalloc
//	... -DPEER='"peer_apr.h"' $(apr-1-config --cflags --cppflags --includes) ... -lapr-1
//	... -DPEER='"peer_ideal.h"' ...
//
// A peer's header says what it is by three macros, each 0 or 1, and defines
//
//	HAS_CONTEXTS                       destroy takes back what was allocated; if not, the chunks it is given
//	HAS_FREE                           there are release and resize
//	IS_FLOOR                           no allocator, and without alloc_cleared
//
//	context                            what is allocated from
//	void start(void)                   once, before all
//	context create(context *parent)    NULL: the first of its thread
//	void *alloc(context *, size_t)     NULL: there is no memory
//	void *alloc_cleared(context *, size_t)
//	void reset(context *, void *last)
//	void destroy(context *, void *last)
//	void release(context *, void *chunk)
//	void *resize(context *, void *chunk, size_t)
//
// where last is the latest chunk, whose first word leads to the one before it, and so on to NULL:
// the way that an allocator without contexts finds what it has to free.

#pragma once

#include <stdbool.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

// fail prints on standard error what went wrong, and ends the program with status 1.
_Noreturn void fail(const char *what);

#include PEER

// usable is a chunk that is there, and that the compiler has to take for read: it may not leave it out.
INLINE void *usable(void *chunk) {
	if (__builtin_expect(!chunk, 0))
		fail("the allocator has no memory for a chunk");
	__asm__ volatile("" : : "r"(chunk) : "memory");
	return chunk;
}

// written puts into the chunk's first word the chunk before it, or a number.
INLINE void *written(void *chunk, const void *word) {
	if (chunk)
		*(const void **)chunk = word;
	return usable(chunk);
}
