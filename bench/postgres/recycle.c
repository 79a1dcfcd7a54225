/*
 * Workloads that free chunks one by one and allocate others in their stead.
 *
 * Invariant: each chunk holds the address of a chunk before it; between two
 * steps every slot holds a live chunk. Cost: next to the allocator's calls, a
 * store a chunk, and for churn one draw of a random number.
 */
#include "bench.h"

#define STEPS 20000000
#define CHURN_SLOTS 10000
#define QUEUE_SLOTS 4096

static void *slots[Max(CHURN_SLOTS, QUEUE_SLOTS)];

/* A chunk that was written to: link is what it holds. */
static inline void *
written(MemoryContext mc, Size size, void *link)
{
	void **chunk = MemoryContextAlloc(mc, size);

	*chunk = link;
	return chunk;
}

static void
pair(MemoryContext mc, Size size, int steps)
{
	void *last = NULL;

	for (int i = 0; i < steps; i++) {
		last = written(mc, size, last);
		pfree(last);
	}
}

/* xorshift64 */
static inline uint64
draw(uint64 *state)
{
	uint64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* 16 to 512 bytes, from the low bits of a draw. */
static inline Size
churn_size(uint64 x)
{
	return 16 + (((x & 0xffff) * 497) >> 16);
}

static void
churn(MemoryContext mc, uint64 *state, int steps)
{
	void *last = NULL;

	for (int i = 0; i < steps; i++) {
		uint64 x = draw(state);
		void **slot = &slots[((x >> 32) * CHURN_SLOTS) >> 32];

		pfree(*slot);
		*slot = last = written(mc, churn_size(x), last);
	}
}

static void
queue(MemoryContext mc, Size size, int steps)
{
	void *last = NULL;

	for (int i = 0; i < steps; i++) {
		void **slot = &slots[i % QUEUE_SLOTS];
		void *old = *slot;

		*slot = last = written(mc, size, last);
		pfree(old);
	}
}

static char *
per_step(int64 spent)
{
	return psprintf("{\"ns\":%.6g}", (double) spent / STEPS);
}

char *
bench_pair(const BenchCell *cell)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, cell->number);
	int64 start;
	int64 spent;

	pair(mc, cell->number, STEPS / 10);
	start = bench_cpu();
	pair(mc, cell->number, STEPS);
	spent = bench_cpu() - start;
	MemoryContextDelete(mc);
	return per_step(spent);
}

char *
bench_churn(const BenchCell *cell)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, 0);
	uint64 state = UINT64CONST(88172645463325252);
	int64 start;
	int64 spent;

	for (int i = 0; i < CHURN_SLOTS; i++)
		slots[i] = written(mc, churn_size(draw(&state)), NULL);
	churn(mc, &state, STEPS / 10);
	start = bench_cpu();
	churn(mc, &state, STEPS);
	spent = bench_cpu() - start;
	MemoryContextDelete(mc);
	return per_step(spent);
}

char *
bench_queue(const BenchCell *cell)
{
	MemoryContext mc = bench_create_default(cell->kind, CurrentMemoryContext, cell->number);
	int64 start;
	int64 spent;

	for (int i = 0; i < QUEUE_SLOTS; i++)
		slots[i] = written(mc, cell->number, NULL);
	queue(mc, cell->number, STEPS / 10);
	start = bench_cpu();
	queue(mc, cell->number, STEPS);
	spent = bench_cpu() - start;
	MemoryContextDelete(mc);
	return per_step(spent);
}
