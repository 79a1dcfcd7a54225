/*
 * Entries in side tables, as a model for spin: Ref.LockToEnter of package tree, while the owner
 * deletes the context, and another goroutine creates the next one from the node, adds an
 * entry about that one, and deletes it, too.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: an entry is about the context that the node is, and the bit tells of
 * it. Always: a node that is cached, or taken for a context, has no entry.
 *
 * Mutants: as in life.pml.
 */

/* Words of the node. */
#define EPOCH  0 /* 0: no context; else which */
#define HAS    1 /* the bit */
#define CACHED 2
#define ENTRY  3 /* in the side table: the context that it is about, or 0 */
#define WORDS  4

#define PROCS 3

#define ANY_LEAVES(p) leaves(p, 0) leaves(p, 1) leaves(p, 2) leaves(p, 3)

#include "processors.h"

bit isFree; /* the node is on a list of free nodes. Lock */

/* Adds an entry about a context, if that is live. Ref.LockToEnter. */
inline enter(p, life) {
	acquire();
	load(p, EPOCH, word);
	if
	:: word == life ->
		load(p, HAS, had);
#ifndef NO_FENCE_ENTER
		atomicStore(p, HAS, 1);
#else
		store(p, HAS, 1);
#endif
#ifndef NO_CHECK_ENTERED
		load(p, EPOCH, word);
#endif
		if
		:: word == life -> store(p, ENTRY, life)
		:: else -> store(p, HAS, had)
		fi
	:: else
	fi;
	release(p)
}

/* Deletes the context. Ref.Delete, Node.cacheOrFree. */
inline delete(p) {
#ifdef NO_LOOK_AFTER
	load(p, HAS, word);
#endif
#ifndef NO_FENCE_DELETE
	atomicStore(p, EPOCH, 0);
#else
	store(p, EPOCH, 0);
#endif
#ifndef NO_LOOK_AFTER
	load(p, HAS, word);
#endif
	if
	:: word == 0 -> releaseStore(p, CACHED, 1)
	:: else ->
		acquire();
#ifndef NO_FORGET
		store(p, ENTRY, 0);
#endif
		store(p, HAS, 0);
		if
		:: releaseStore(p, CACHED, 1)
		:: isFree = 1
		fi;
		release(p)
	fi
}

proctype Enterer(byte p) {
	byte word, had;
	enter(p, 1);
	running--
}

proctype Owner(byte p) {
	byte word;
	delete(p);
	running--
}

/* Creates the next context from the node, and may add an entry, and may delete it. */
proctype Next(byte p) {
	byte word, had;
	bool ok;
	if
	:: take(p, CACHED, ok)
	:: acquire();
		ok = isFree;
		isFree = 0;
		release(p)
	fi;
	if
	:: !ok -> goto done
	:: else
	fi;
	store(p, EPOCH, 2);
	if
	:: enter(p, 2)
	:: true
	fi;
	if
	:: delete(p)
	:: true
	fi;
done:
	running--
}

init {
	atomic {
		memory[EPOCH] = 1;
		if
		:: true
		:: memory[HAS] = 1; memory[ENTRY] = 1
		fi;
		run Enterer(0);
		run Owner(1);
		run Next(2)
	}
	finished();
	assert(memory[ENTRY] == 0 || memory[ENTRY] == memory[EPOCH]);
	assert(memory[ENTRY] == 0 || memory[HAS] == 1)
}
