/*
 * The flat trace as it lies in a file, and as it is mapped.
 *
 * Invariant: the structs are the file's layout, little-endian; they have no
 * padding. Cost: none, it is declarations.
 */
#ifndef BENCH_FLAT_H
#define BENCH_FLAT_H

#include "postgres.h"

#define FLAT_MAGIC UINT64CONST(0x31544c4650) /* "PFLT1" */
#define FLAT_NONE 0xffffffff
#define FLAT_CLEARED 1

enum {
	FLAT_ALLOC = 1,
	FLAT_FREE,
	FLAT_REALLOC,
	FLAT_CREATE,
	FLAT_RESET,
	FLAT_RESETONLY,
	FLAT_RESETCHILDREN,
	FLAT_DELETE,
	FLAT_DELETECHILDREN,
	FLAT_SETPARENT,
	FLAT_SETIDENT,
	FLAT_REGCB
};

typedef struct FlatHeader {
	uint64 magic;
	uint64 ops;
	uint64 slots;
	uint64 contexts;
	uint64 string_bytes;
	uint64 replayed;
	uint64 largest;
	uint64 zero;
} FlatHeader;

typedef struct FlatContext {
	uint64 kind;
	uint64 name;
	uint64 a;
	uint64 b;
	uint64 c;
} FlatContext;

typedef struct FlatOp {
	uint8 code;
	uint8 flags;
	uint16 zero;
	uint32 context;
	uint32 arg;
	uint32 old_size;
	uint64 size;
} FlatOp;

typedef struct FlatTrace {
	const FlatHeader *header;
	const FlatContext *contexts;
	const FlatOp *ops;
	const char *strings;
} FlatTrace;

/* Maps the file for as long as the process lives; errors if it is no flat trace. */
extern FlatTrace flat_open(const char *file);

/* Memory for n things of that size, zero and touched, outside of malloc's heap. */
extern void *flat_pages(uint64 n, Size size);

#endif
