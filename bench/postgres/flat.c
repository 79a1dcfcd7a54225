/*
 * Brings a flat trace into memory, and makes the tables that go with it.
 *
 * Invariant: everything is mapped by itself, so that the heap that the contexts
 * allocate from stays as the backend left it. Cost: the file is read whole,
 * before any clock starts; it stays until the backend ends.
 */
#include "flat.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file as memory, and its length. */
static const char *
map_file(const char *file, uint64 *length)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *memory;

	if (fd < 0 || fstat(fd, &st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("flat trace \"%s\" cannot be opened: %m: the server's user must be able to read it", file)));
	*length = st.st_size;
	memory = mmap(NULL, Max(*length, 1), PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("flat trace \"%s\" of " UINT64_FORMAT " bytes cannot be mapped: %m: free some memory", file, *length)));
	return memory;
}

/* Reads all of it, as the other replays have read theirs: the cold pass is to wait for the
 * allocator's memory only. */
static void
touch(const char *memory, uint64 length)
{
	for (uint64 i = 0; i < length; i += 64)
		(void) *(const volatile char *) (memory + i);
}

/* The length that the file should have by its header. */
static uint64
described(const FlatHeader *h)
{
	return sizeof(*h) + h->contexts * sizeof(FlatContext) + h->ops * sizeof(FlatOp) + h->string_bytes;
}

FlatTrace
flat_open(const char *file)
{
	uint64 length;
	FlatTrace t;

	t.header = (const FlatHeader *) map_file(file, &length);
	if (length < sizeof(FlatHeader) || t.header->magic != FLAT_MAGIC || described(t.header) != length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("\"%s\" of " UINT64_FORMAT " bytes is no whole flat trace: write it anew", file, length)));
	touch((const char *) t.header, length);
	t.contexts = (const FlatContext *) (t.header + 1);
	t.ops = (const FlatOp *) (t.contexts + t.header->contexts);
	t.strings = (const char *) (t.ops + t.header->ops);
	return t;
}

void *
flat_pages(uint64 n, Size size)
{
	uint64 bytes = Max(n * size, 1);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("a table of " UINT64_FORMAT " bytes cannot be mapped: %m: free some memory", bytes)));
	return memory;
}
