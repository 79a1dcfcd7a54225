/*
 * Buffers that are doubled until they have a mebibyte, one alone or two in turn.
 *
 * Invariant: a buffer is written to its end before it is doubled. Cost: writing
 * that mebibyte once, which no allocator is spared.
 */
#include "bench.h"

#define BUFFERS 2000 /* in all: two in turn take half the rounds */
#define FIRST_SIZE 1024
#define LAST_SIZE (1024 * 1024)
#define MOST 2

static void
grow(MemoryContext mc, int buffers, int rounds)
{
	char *buffer[MOST];

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < buffers; i++) {
			buffer[i] = MemoryContextAlloc(mc, FIRST_SIZE);
			memset(buffer[i], r, FIRST_SIZE);
		}
		for (Size size = FIRST_SIZE; size < LAST_SIZE; size *= 2) {
			for (int i = 0; i < buffers; i++) {
				buffer[i] = repalloc(buffer[i], size * 2);
				memset(buffer[i] + size, r, size);
			}
		}
		for (int i = 0; i < buffers; i++)
			pfree(buffer[i]);
	}
}

char *
bench_grow(const BenchCell *cell)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, 0);
	int rounds = BUFFERS / cell->number;
	int64 start;
	int64 spent;

	grow(mc, cell->number, rounds / 20);
	start = bench_cpu();
	grow(mc, cell->number, rounds);
	spent = bench_cpu() - start;
	MemoryContextDelete(mc);
	return psprintf("{\"ns\":%.6g}", (double) spent / BUFFERS);
}
