/*
 * The deletion of a dropped context, as a model for spin: Ref.Detach and Ref.DeleteDropped of
 * package tree, while the owner of the parent deletes that with all below it, and the node
 * serves the next context as soon as it is free. The context has a callback, and may hold so
 * much that its blocks are released without the lock.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: the context is gone, and its callback has run once. Always: one
 * goroutine at a time works on the context, and none waits for ever.
 *
 * Mutants: as in life.pml.
 *
 * Not modelled: trails. The deletion of the parent begins at the top each time.
 */

/* Nodes: P the parent, R the place for dropped contexts, M the context. */
#define P 0
#define R 1
#define M 2
#define NONE 3

#define EPOCH_P   0
#define EPOCH_M   1 /* 1: the context; 2: the next one of the node */
#define FIRST(n)  (2 + (n)) /* of P and R */
#define PARENT_M  4
#define CLAIMED   5 /* bits of the word Has of M */
#define CALLBACKS 6
#define DATA_M    7 /* what the owner of the memory writes */
#define WORDS     8

#define PROCS 3

#define ANY_LEAVES(p) \
	leaves(p, 0) leaves(p, 1) leaves(p, 2) leaves(p, 3) leaves(p, 4) leaves(p, 5) \
	leaves(p, 6) leaves(p, 7)

#include "processors.h"

byte owners;     /* of M */
byte ran;        /* callbacks that have run */
bit isFree;      /* M is on a list of free nodes. Lock */
bit heavy;       /* M holds much. Owner of M */

inline own()    { atomic { owners++; assert(owners == 1) } }
inline disown() { owners-- }

inline isLive(p, ok) {
	load(p, EPOCH_M, word);
	ok = (word == 1)
}

/* Node.claim, and what follows it: the caller works on M without the lock. */
inline claim(p) {
	store(p, CLAIMED, 1);
	own()
}

/* Ref.unclaim. */
inline unclaim(p) {
	acquire();
#ifndef NO_CHECK_UNCLAIMED
	isLive(p, ok);
#else
	ok = true;
#endif
	if
	:: ok -> store(p, CLAIMED, 0)
	:: else
	fi;
	release(p)
}

/* Takes M off its parent, and frees the node. Node.free. */
inline free(p) {
	load(p, PARENT_M, word);
	releaseStore(p, FIRST(word), NONE);
	store(p, PARENT_M, NONE);
	store(p, CLAIMED, 0);
	isFree = 1
}

/* The owner of P deletes it. Ref.deleteWith, descent.run, Ref.removeClaimed. */
proctype Owner(byte p) {
	byte word;
	bool ok, panics;
	do
	:: true ->
		atomicStore(p, EPOCH_P, 0);
		load(p, FIRST(P), word);
		if
		:: word == NONE -> break
		:: else
		fi;
		store(p, EPOCH_P, 1);
		acquire();
		load(p, FIRST(P), word);
		if
		:: word == NONE -> release(p)
		:: else ->
			isLive(p, ok);
			load(p, CALLBACKS, word);
			if
			:: !ok -> release(p)
			:: ok && word == 0 && !heavy -> /* Node.endFreeing */
				own();
				atomicStore(p, EPOCH_M, 0);
				store(p, DATA_M, 0);
				disown();
				free(p);
				release(p)
			:: else ->
#ifndef NO_CLAIM
				claim(p);
#else
				own();
#endif
				release(p);
				load(p, CALLBACKS, word);
				panics = false;
				if
				:: word != 0 ->
					acquire();
					isLive(p, ok);
					assert(ok); /* else the callback would be lost, and the deletion panic */
					store(p, CALLBACKS, 0);
					release(p);
					ran++;
					if
					:: panics = true
					:: true
					fi
				:: else
				fi;
				if
				:: panics ->
					disown();
#ifndef NO_UNCLAIM
					unclaim(p);
#endif
					break
				:: else ->
					atomicStore(p, EPOCH_M, 0);
					store(p, DATA_M, 0);
					disown();
					acquire();
					free(p);
					release(p);
					unclaim(p) /* of what is gone */
				fi
			fi
		fi
	od;
	running--
}

/* The collector's goroutine. Ref.Detach, Ref.DeleteDropped. */
proctype Collector(byte p) {
	byte word;
	bool ok;
	acquire();
#ifndef NO_CHECK_DETACHED
	isLive(p, ok);
#else
	ok = true;
#endif
	if
	:: !ok -> release(p); goto done
	:: else
	fi;
	load(p, PARENT_M, word);
	releaseStore(p, FIRST(word), NONE);
	store(p, PARENT_M, R);
	store(p, FIRST(R), M);
	release(p);
	do
	:: true ->
		acquire();
		isLive(p, ok);
		if
		:: !ok -> release(p); break
		:: else
		fi;
		load(p, CLAIMED, word);
#ifdef NO_CHECK_CLAIMED
		word = 0;
#endif
		if
		:: word != 0 ->
			release(p);
			memory[CLAIMED] == 0 || memory[EPOCH_M] != 1 /* sleeps, and looks again */
		:: else ->
			load(p, CALLBACKS, word);
			if
			:: word != 0 ->
				claim(p);
				store(p, CALLBACKS, 0);
				release(p);
				ran++;
				disown();
				unclaim(p)
			:: word == 0 && heavy ->
				claim(p);
				release(p);
				heavy = 0;
				disown();
				unclaim(p)
			:: else -> /* Node.endFreeing */
				own();
				store(p, EPOCH_M, 0);
				store(p, DATA_M, 0);
				disown();
				free(p);
				release(p);
				break
			fi
		fi
	od;
done:
	running--
}

/* The node becomes the next context, which its owner claims for a while. */
proctype Next(byte p) {
	byte word;
	acquire();
	if
	:: isFree ->
		isFree = 0;
		load(p, DATA_M, word);
		assert(word == 0);
		own();
		store(p, EPOCH_M, 2);
		store(p, CLAIMED, 1);
		release(p);
		acquire();
		load(p, CLAIMED, word);
		assert(word == 1);
		store(p, CLAIMED, 0);
		disown()
	:: else
	fi;
	release(p);
	running--
}

init {
	atomic {
		memory[EPOCH_P] = 1;
		memory[EPOCH_M] = 1;
		memory[FIRST(P)] = M;
		memory[FIRST(R)] = NONE;
		memory[PARENT_M] = P;
		memory[CALLBACKS] = 1;
		memory[DATA_M] = 1;
		if
		:: true
		:: heavy = 1
		fi;
		run Owner(0);
		run Collector(1);
		run Next(2)
	}
	finished();
	assert(memory[EPOCH_M] != 1 && ran == 1);
	assert(memory[EPOCH_P] == 0 || memory[FIRST(P)] == NONE)
}
