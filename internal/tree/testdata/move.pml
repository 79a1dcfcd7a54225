/*
 * A move of a context, as a model for spin: Ref.Move of package tree, while others delete the
 * context and both parents, and create a context from the node that was deleted.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: no context is live below a parent that is deleted. A context that
 * was never moved is where it was created.
 *
 * Mutants: as in life.pml.
 */

/* Nodes: P the old parent, Q the new one, M the context that is moved, X a child of P behind it. */
#define P 0
#define Q 1
#define M 2
#define X 3
#define NONE 4

#define EPOCH(n)  (n)       /* of P, Q and M; 0: no context */
#define FIRST(n)  (3 + (n)) /* of P and Q */
#define HAS(n)    (5 + (n)) /* of P, Q and M */
#define NEXT_M    8
#define PARENT_M  9
#define CACHED_M  10
#define WORDS     11

#define PROCS 3

#define ANY_LEAVES(p) \
	leaves(p, 0) leaves(p, 1) leaves(p, 2) leaves(p, 3) leaves(p, 4) leaves(p, 5) \
	leaves(p, 6) leaves(p, 7) leaves(p, 8) leaves(p, 9) leaves(p, 10)

#include "processors.h"

bit sibling;  /* X is live */
bit ended[2]; /* P or Q is deleted for good */

/* Unlinks M from n, of which it is the first child. links.go. */
inline unlink(p, n) {
	load(p, NEXT_M, nextOf);
#ifndef NO_RELEASE_UNLINK
	releaseStore(p, FIRST(n), nextOf);
#else
	store(p, FIRST(n), nextOf);
#endif
	store(p, PARENT_M, NONE);
	releaseStore(p, NEXT_M, NONE)
}

/* Moves M from one parent to the other. The fence is a store of the parent. move. */
inline move(p, from, to) {
	unlink(p, from);
	store(p, PARENT_M, to);
	load(p, FIRST(to), at);
	store(p, NEXT_M, at);
	store(p, FIRST(to), M);
#ifndef NO_FENCE_MOVE
	atomicStore(p, PARENT_M, to)
#else
	store(p, PARENT_M, to)
#endif
}

/* Moves M to Q. Ref.Move. */
proctype Mover(byte p) {
	byte at, word, nextOf;
	acquire();
	load(p, EPOCH(M), word);
	if
	:: word != 1 -> goto done
	:: else
	fi;
	load(p, EPOCH(Q), word);
	if
	:: word != 1 -> goto done
	:: else
	fi;
#ifndef NO_BIT_MOVED
#ifndef NO_FENCE_BIT
	atomicStore(p, HAS(M), 1);
#else
	store(p, HAS(M), 1);
#endif
#ifndef NO_CHECK_MOVED
	load(p, EPOCH(M), word);
	if
	:: word != 1 -> goto restore
	:: else
	fi;
#endif
#endif
#ifndef NO_BIT_OLD
	store(p, HAS(P), 1);
#endif
	move(p, P, Q);
#ifndef NO_CHECK_NEW
	load(p, EPOCH(Q), word);
	if
	:: word != 1 ->
		move(p, Q, P);
#ifdef NO_BIT_LEFT
		store(p, HAS(P), 0);
#endif
		goto restore
	:: else
	fi;
#endif
	store(p, HAS(P), 0);
restore:
	store(p, HAS(M), 0);
done:
	release(p);
	running--
}

/* Sets leaf: all children of n are cached. Node.together. */
inline leafOf(p, n) {
	leaf = true;
	load(p, FIRST(n), at);
	do
	:: !leaf || at == NONE -> break
	:: leaf && at == X -> leaf = !sibling
	:: leaf && at == M ->
		load(p, CACHED_M, word);
		leaf = (word == 1);
#ifndef NO_CHECK_PARENT
		load(p, PARENT_M, word);
		leaf = leaf && (word == n);
#endif
		load(p, NEXT_M, at)
	od
}

/* The owner of n deletes it. Ref.end, Ref.deleteChildren, Node.cacheOrFree. */
inline delete(p, n) {
	do
	:: ended[n] -> break
	:: else ->
#ifndef NO_FENCE_DELETE
		atomicStore(p, EPOCH(n), 0);
#else
		store(p, EPOCH(n), 0);
#endif
#ifdef NO_ORDER_HAS
		load(p, HAS(n), has_);
		leafOf(p, n);
#else
		leafOf(p, n);
		load(p, HAS(n), has_);
#endif
		if
		:: leaf && has_ == 0 -> ended[n] = 1
		:: leaf && has_ != 0 ->
			acquire();
			leafOf(p, n);
			if
			:: leaf -> store(p, HAS(n), 0); ended[n] = 1 /* as in cacheOrFree, but for its eviction of M */
			:: else
			fi;
			release(p)
		:: else
		fi;
		if
		:: ended[n]
		:: else ->
			store(p, EPOCH(n), 1);
			acquire();
			load(p, FIRST(n), at);
			if
			:: at == M -> /* end it if it is a context, and free or cache its node */
				load(p, NEXT_M, at);
				end(p, word != 0, ok);
				if
				:: ok -> unlink(p, n)
				:: ok -> releaseStore(p, CACHED_M, 1)
				:: else /* cached, or taken: look again */
				fi
			:: else
			fi;
			if
			:: at == X -> assert(n == P); sibling = 0; /* it stays linked, and cached */
			:: else
			fi;
			release(p)
		fi
	od
}

/* Ends the epoch of M on a condition. That two goroutines do so is excluded: a program has to order that. */
inline end(p, condition, ok) {
	atomic {
		fence(p);
		word = memory[EPOCH(M)];
		ok = (condition);
		if
		:: ok -> memory[EPOCH(M)] = 0
		:: else
		fi
	}
}

/* The goroutine that owns P and M: deletes M, creates another context of that name, deletes P. */
proctype Owner(byte p) {
	byte at, word, has_, nextOf;
	bool ok, leaf;
	if
	:: true
	:: true -> goto parent
	fi;
	end(p, word == 1, ok);
	if
	:: !ok -> goto parent /* it was deleted with a parent */
	:: else
	fi;
	load(p, HAS(M), word);
	if
	:: word == 0 -> releaseStore(p, CACHED_M, 1)
	:: else ->
		acquire();
		releaseStore(p, CACHED_M, 1);
		release(p)
	fi;
	load(p, FIRST(P), at);
	if
	:: true -> goto parent /* without the second */
	:: at == M
	fi;
	take(p, CACHED_M, ok);
	if
	:: !ok -> goto parent
	:: else
	fi;
	load(p, PARENT_M, word);
	if
	:: word == P -> store(p, EPOCH(M), 2)
	:: else -> releaseStore(p, CACHED_M, 1)
	fi;
parent:
	if
	:: true
	:: true -> delete(p, P)
	fi;
	running--
}

/* The owner of Q deletes it. */
proctype Other(byte p) {
	byte at, word, has_, nextOf;
	bool ok, leaf;
	if
	:: true
	:: true -> delete(p, Q)
	fi;
	running--
}

init {
	atomic {
		memory[EPOCH(P)] = 1;
		memory[EPOCH(Q)] = 1;
		memory[EPOCH(M)] = 1;
		memory[FIRST(P)] = M;
		memory[FIRST(Q)] = NONE;
		memory[NEXT_M] = NONE;
		if
		:: true
		:: sibling = 1; memory[NEXT_M] = X
		fi;
		memory[PARENT_M] = P;
		run Mover(0);
		run Owner(1);
		run Other(2)
	}
	finished();
	assert(!ended[P] || !sibling);
	assert(memory[EPOCH(M)] == 0 || !ended[memory[PARENT_M]]);
	assert(memory[EPOCH(M)] != 2 || memory[PARENT_M] == P)
}
