/*
 * The steps in a context's life that take no lock, as a model for spin: a creation from a
 * cached node, a deletion by the owner, and what others do meanwhile under the tree's lock.
 * See the package comment of internal/tree, and docs/CONCURRENCY.md.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: no context is live below a parent that its creator knew and that
 * is deleted. Always: no node has two owners, and who takes a cached node sees what its last
 * owner wrote.
 *
 * Mutants: with a name that begins with NO_ defined, a fence or a check is missing, and spin
 * finds an error.
 *
 * Moves, entries in side tables, dropped contexts, and a cached node that is used elsewhere
 * by the time it is taken have models of their own: move.pml, side.pml, drop.pml, reuse.pml.
 */

/* Nodes: P the parent, C a cached child of it, X a node for a new child. */
#define P 0
#define C 1
#define X 2
#define NONE 3 /* no node: the end of a list */

/* Words, as variables of the memory: three of each. */
#define EPOCH(n)  (n)
#define CACHED(n) (3 + (n))
#define FIRST     6 /* the first child of P */
#define NEXT(n)   (6 + (n)) /* of C and X: 7, 8 */
#define DATA(n)   (9 + (n)) /* what the owner of a node's memory writes */
#define EVICTIONS 12
#define WORDS     13

#define PROCS 4

#define ANY_LEAVES(p) \
	leaves(p, 0) leaves(p, 1) leaves(p, 2) leaves(p, 3) leaves(p, 4) leaves(p, 5) \
	leaves(p, 6) leaves(p, 7) leaves(p, 8) leaves(p, 9) leaves(p, 10) leaves(p, 11) \
	leaves(p, 12)

#ifdef NO_FENCE_UNLOCK
#define UNLOCK_IS_NO_FENCE
#endif

#include "processors.h"

byte owners[3];               /* of each node's memory */
bit created[3];               /* the node is a context, created below the first life of P */
bit older;                    /* X was created before C, and there is no node for a third child */

inline own(n)    { atomic { owners[n]++; assert(owners[n] == 1) } }
inline disown(n) { owners[n]-- }

/* unlink removes a child of P. The lock is held. */
inline unlink(p, n) {
	load(p, NEXT(n), nextOf);
	load(p, FIRST, at);
	if
	:: at == n -> releaseStore(p, FIRST, nextOf)
	:: else -> /* the list has two nodes at most */
		releaseStore(p, NEXT(at), nextOf)
	fi;
#ifndef NO_RELEASE_NEXT
	releaseStore(p, NEXT(n), NONE)
#else
	store(p, NEXT(n), NONE)
#endif
}

/* leafOf sets leaf: all children of P are cached. Ref.together. */
inline leafOf(p) {
	load(p, EVICTIONS, seen);
	leaf = true;
	load(p, FIRST, at);
	do
	:: at == NONE || !leaf -> break
	:: else ->
		load(p, CACHED(at), word);
		leaf = (word == 1);
		load(p, NEXT(at), at)
	od;
	load(p, EVICTIONS, word);
	leaf = leaf && word == seen
}

/* The owner of P deletes it. Ref.end, and Ref.deleteChildren where P has children. */
proctype Deleter(byte p) {
	byte at, word, nextOf, seen;
	bool leaf;
again:
#ifndef NO_FENCE_DELETE
	atomicStore(p, EPOCH(P), 0);
#else
	store(p, EPOCH(P), 0);
#endif
	leafOf(p);
	if
	:: !leaf ->
		store(p, EPOCH(P), 1);
		acquire();
		load(p, FIRST, at);
		do
		:: at == NONE -> break
		:: else ->
			load(p, CACHED(at), word);
			load(p, EPOCH(at), seen);
			if
			:: word == 0 && seen != 0 -> /* a context: end it, and free its node */
				word = at;
				store(p, EPOCH(word), 0);
				created[word] = 0;
				owners[word] = 0;
				unlink(p, word);
				load(p, FIRST, at)
			:: word == 0 && seen == 0 -> break /* taken: look again */
			:: word == 1 -> load(p, NEXT(at), at)
			fi
		od;
		release(p);
		goto again
	:: else
	fi;
	store(p, DATA(P), 0); /* the memory is closed */
	disown(P);
#ifndef NO_RELEASE_DELETE
	releaseStore(p, CACHED(P), 1);
#else
	store(p, CACHED(P), 1);
#endif
	running--
}

/* Another goroutine creates a child below the first life of P. tree.Create, CreateWith. */
proctype Creator(byte p) {
	byte at, word, nextOf;
	bool ok, live;
	load(p, FIRST, at);
	if
	:: at == C ->
		take(p, CACHED(C), ok);
		if
		:: ok ->
			own(C);
			live = true;
#ifndef NO_CHECK_TAKEN
			load(p, EPOCH(P), word);
			live = (word == 1);
#endif
			if
			:: live ->
				load(p, DATA(C), word);
				assert(word == 0);
				store(p, DATA(C), 1);
				created[C] = 1;
				store(p, EPOCH(C), 1);
				goto done
			:: else ->
				disown(C);
				releaseStore(p, CACHED(C), 1)
			fi
		:: else
		fi
	:: else
	fi;
	acquire();
	load(p, EPOCH(P), word);
	if
	:: word != 1 || older -> release(p); goto done
	:: else
	fi;
	own(X);
	store(p, DATA(X), 1);
	store(p, EPOCH(X), 1);
	load(p, FIRST, at);
	store(p, NEXT(X), at);
	store(p, FIRST, X);
	created[X] = 1;
	release(p);
#ifndef NO_CHECK_LINKED
	load(p, EPOCH(P), word);
	if
	:: word != 1 -> /* too late: undo it, unless the deletion has */
		acquire();
		load(p, EPOCH(X), word);
		if
		:: word != 0 ->
			store(p, EPOCH(X), 0);
			created[X] = 0;
			owners[X] = 0;
			unlink(p, X)
		:: else
		fi;
		release(p)
	:: else
	fi;
#endif
done:
	running--
}

/* Another goroutine creates a context from the cached node P. */
proctype Taker(byte p) {
	byte word;
	bool ok;
	take(p, CACHED(P), ok);
	if
	:: ok ->
		own(P);
		load(p, DATA(P), word);
		assert(word == 0); /* what the deletion wrote */
		store(p, DATA(P), 1);
		store(p, EPOCH(P), 2)
	:: else
	fi;
	running--
}

/* Another goroutine evicts C. Node.evict. */
proctype Evictor(byte p) {
	byte at, nextOf, word;
	bool ok;
	acquire();
	load(p, FIRST, at);
	do
	:: at == C || at == NONE -> break
	:: else -> load(p, NEXT(at), at)
	od;
	if
	:: at == C ->
		take(p, CACHED(C), ok);
		if
		:: ok ->
			own(C);
#ifndef NO_COUNT_EVICTIONS
			load(p, EVICTIONS, word);
			releaseStore(p, EVICTIONS, word + 1);
#endif
			unlink(p, C);
			disown(C)
		:: else
		fi
	:: else
	fi;
	release(p);
	running--
}

init {
	atomic {
		memory[EPOCH(P)] = 1;
		memory[DATA(P)] = 1;
		owners[P] = 1;
		memory[CACHED(C)] = 1;
		memory[FIRST] = C;
		memory[NEXT(C)] = NONE;
		memory[NEXT(X)] = NONE;
		if
		:: older = 0
		:: older = 1;
			memory[EPOCH(X)] = 1;
			memory[NEXT(C)] = X;
			owners[X] = 1;
			created[X] = 1
		fi;
		run Deleter(0);
		run Creator(1);
		run Taker(2);
		run Evictor(3)
	}
	finished();
	assert(!created[C] && !created[X])
}
