/*
 * Replays a flat trace: the recorded calls, with the recorded kinds and sizes.
 *
 * Invariant: between two ops table[slot] is the address of every live chunk, and
 * live[context] is every live context. All contexts hang below the root of the
 * pass, which is made and deleted outside of the clock. Cost: a switch an op and
 * the writes; trace-floor is that alone.
 */
#include "bench.h"

#include "miscadmin.h"

#include "flat.h"
#include "resident.h"

#define LEAST_PASSES 4
#define LEAST_TIME 3e8
#define MOST_PASSES 65536
#define PAGE 4096

typedef enum Touch {
	ENDS,  /* write the ends of the chunks */
	PAGES, /* write into every page of the chunks */
	FLOOR  /* write the ends, but of one scratch buffer, without any context */
} Touch;

typedef struct Replay {
	FlatTrace trace;
	void **table;
	MemoryContext *live;
	char *scratch;
} Replay;

static double passes[MOST_PASSES];

static Replay
load(const char *file, Touch touch)
{
	Replay r;

	r.trace = flat_open(file);
	r.table = flat_pages(r.trace.header->slots, sizeof(*r.table));
	r.live = flat_pages(r.trace.header->contexts, sizeof(*r.live));
	r.scratch = touch == FLOOR ? flat_pages(r.trace.header->largest, 1) : NULL;
	return r;
}

static inline void *
sell(MemoryContext mc, uint64 size, bool cleared)
{
	if (unlikely(size > MaxAllocSize))
		return MemoryContextAllocExtended(mc, size, MCXT_ALLOC_HUGE | (cleared ? MCXT_ALLOC_ZERO : 0));
	return cleared ? MemoryContextAllocZero(mc, size) : MemoryContextAlloc(mc, size);
}

static inline void *
resize(void *chunk, uint64 size)
{
	return unlikely(size > MaxAllocSize) ? repalloc_huge(chunk, size) : repalloc(chunk, size);
}

/* What the floor does in place of an allocator. */
static inline void *
scratch(const Replay *r, uint64 size, bool cleared)
{
	if (cleared)
		memset(r->scratch, 0, size);
	return r->scratch;
}

static inline void
touch_pages(char *chunk, uint64 size)
{
	for (uint64 i = 0; i < size; i += PAGE)
		chunk[i] = 1;
}

static void
nothing(void *arg)
{
}

/* The callback's struct lies in the context that it is for, as PostgreSQL asks. */
static void
register_callback(MemoryContext mc)
{
	MemoryContextCallback *callback = MemoryContextAlloc(mc, sizeof(*callback));

	callback->func = nothing;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(mc, callback);
}

static MemoryContext
create(const Replay *r, uint32 context, MemoryContext parent)
{
	const FlatContext *c = &r->trace.contexts[context];

	return bench_create(c->kind, parent, r->trace.strings + c->name, c->a, c->b, c->c);
}

/* The ops on contexts but resets are rare: they are kept out of the loop. */
static pg_noinline void
play_context(const Replay *r, const FlatOp *op, MemoryContext root)
{
	MemoryContext *mc = &r->live[op->context];

	switch (op->code) {
	case FLAT_CREATE:
		*mc = create(r, op->context, op->arg == FLAT_NONE ? root : r->live[op->arg]);
		break;
	case FLAT_RESETONLY:
		MemoryContextResetOnly(*mc);
		break;
	case FLAT_RESETCHILDREN:
		MemoryContextResetChildren(*mc);
		break;
	case FLAT_DELETE:
		MemoryContextDelete(*mc);
		break;
	case FLAT_DELETECHILDREN:
		MemoryContextDeleteChildren(*mc);
		break;
	case FLAT_SETPARENT:
		MemoryContextSetParent(*mc, op->arg == FLAT_NONE ? root : r->live[op->arg]);
		break;
	case FLAT_SETIDENT:
		MemoryContextSetIdentifier(*mc, op->arg == FLAT_NONE ? NULL : r->trace.strings + op->arg);
		break;
	case FLAT_REGCB:
		register_callback(*mc);
		break;
	default:
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the trace has an op of code %d, and codes end at %d: write it anew", op->code, FLAT_REGCB)));
	}
}

/* Inlined with a constant touch, so that each has a loop of its own. */
static pg_attribute_always_inline void
play(const Replay *r, MemoryContext root, Touch touch)
{
	const FlatOp *end = r->trace.ops + r->trace.header->ops;
	char *chunk;

	for (const FlatOp *op = r->trace.ops; op < end; op++) {
		switch (op->code) {
		case FLAT_ALLOC:
			chunk = touch == FLOOR ? scratch(r, op->size, op->flags & FLAT_CLEARED)
								  : sell(r->live[op->context], op->size, op->flags & FLAT_CLEARED);
			r->table[op->arg] = chunk;
			if (touch == PAGES)
				touch_pages(chunk, op->size);
			if (op->size > 0)
				chunk[0] = chunk[op->size - 1] = 1;
			break;
		case FLAT_FREE:
			if (touch != FLOOR)
				pfree(r->table[op->arg]);
			break;
		case FLAT_REALLOC:
			chunk = r->table[op->arg];
			if (touch != FLOOR)
				r->table[op->arg] = chunk = resize(chunk, op->size);
			if (touch == PAGES)
				touch_pages(chunk, op->size);
			if (op->size > 0)
				chunk[op->size - 1] = 1;
			break;
		case FLAT_RESET:
			if (touch != FLOOR)
				MemoryContextReset(r->live[op->context]);
			break;
		default:
			if (touch != FLOOR)
				play_context(r, op, root);
		}
	}
}

/* The CPU time of one pass. */
static pg_attribute_always_inline double
pass(const Replay *r, Touch touch)
{
	MemoryContext root = bench_create_default(BENCH_ALLOCSET, CurrentMemoryContext, 0);
	int64 start = bench_cpu();
	int64 spent;

	play(r, root, touch);
	spent = bench_cpu() - start;
	MemoryContextDelete(root);
	return spent;
}

static pg_attribute_always_inline char *
timed(const char *file, Touch touch)
{
	Replay r = load(file, touch);
	double ops = Max(r.trace.header->replayed, 1);
	double cold;
	double total = 0;
	int n = 0;

	resident_trim();
	cold = pass(&r, touch);
	while (n < LEAST_PASSES || (total < LEAST_TIME && n < MOST_PASSES)) {
		CHECK_FOR_INTERRUPTS();
		passes[n] = pass(&r, touch);
		total += passes[n++];
	}
	return psprintf("{\"ns\":%.6g,\"cold\":%.6g,\"passes\":%d}", bench_median(passes, n) / ops, cold / ops, n + 1);
}

char *
bench_trace(const BenchCell *cell)
{
	return timed(cell->file, ENDS);
}

char *
bench_trace_floor(const BenchCell *cell)
{
	return timed(cell->file, FLOOR);
}

char *
bench_trace_touched(const BenchCell *cell)
{
	Replay r = load(cell->file, PAGES);
	int64 before = resident_begin();

	pass(&r, PAGES);
	return psprintf("{\"resident\":" INT64_FORMAT "}", resident_peak() - before);
}

/* As many passes as the workload's name says, for a program that counts instructions. */
static pg_attribute_always_inline char *
passes_of(const BenchCell *cell, Touch touch)
{
	Replay r = load(cell->file, touch);

	for (int i = 0; i < cell->number; i++)
		pass(&r, touch);
	return psprintf("{\"passes\":%d,\"ops\":" UINT64_FORMAT "}", cell->number, r.trace.header->replayed);
}

char *
bench_passes(const BenchCell *cell)
{
	return passes_of(cell, ENDS);
}

char *
bench_passes_floor(const BenchCell *cell)
{
	return passes_of(cell, FLOOR);
}
