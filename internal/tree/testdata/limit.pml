/*
 * A context comes under a budget, as a model for spin: the bit Limited of its word Has is set by
 * package budget, while its owner acquires a block and releases one. See internal/kind,
 * limit.go.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: after a release the budget knows what the context holds.
 *
 * Mutants: as in life.pml.
 */

#define TOTAL   0 /* the bytes that the context holds */
#define LIMITED 1
#define CHARGE  2 /* what the budget knows of them. Lock: of the budgets */
#define WORDS   3

#define PROCS 2

#define ANY_LEAVES(p) leaves(p, 0) leaves(p, 1) leaves(p, 2)

#include "processors.h"

/* CheckLimit. */
inline tell(p, holds) {
	acquire();
	store(p, CHARGE, holds);
	release(p)
}

/* Acquires a block, and releases two. Core.reserve, Core.charge; Core.uncharge. */
proctype Owner(byte p) {
	byte word;
	load(p, LIMITED, word);
	if
	:: word != 0 -> tell(p, 2)
	:: else
	fi;
	store(p, TOTAL, 2);
#ifndef NO_FENCE_TOTAL
	atomicStore(p, TOTAL, 0);
#else
	store(p, TOTAL, 0);
#endif
	load(p, LIMITED, word);
	if
	:: word != 0 -> tell(p, 0)
	:: else
	fi;
	running--
}

/* Puts the context under a budget. recharge. */
proctype Recharger(byte p) {
	byte word;
	acquire();
#ifndef NO_FENCE_LIMITED
	atomicStore(p, LIMITED, 1);
#else
	store(p, LIMITED, 1);
#endif
	load(p, TOTAL, word);
	store(p, CHARGE, word);
	release(p);
	running--
}

init {
	atomic {
		memory[TOTAL] = 1;
		run Owner(0);
		run Recharger(1)
	}
	finished();
	assert(memory[CHARGE] == memory[TOTAL])
}
