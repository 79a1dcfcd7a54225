/*
 * A cached node that is freed and used elsewhere, as a model for spin: tree.Create finds it,
 * and before it swaps the word CachedAs another goroutine evicts it, creates a context from it
 * below any parent with any name, and deletes that, so that it is cached again. Meanwhile
 * the parents are deleted.
 *
 * Processors: see processors.h.
 *
 * Invariant, at the end: the node is cached, or free, or it is the context that was asked for,
 * below a parent that is live. Always: it has one owner, who sees what the last one wrote.
 *
 * Mutants: as in life.pml.
 */

/* Nodes: P and Q parents, C the cached node. */
#define P 0
#define Q 1
#define C 2
#define NONE 3

#define EPOCH(n) (n) /* 1, or for C the name of the context; 0: no context */
#define FIRST(n) (3 + (n)) /* of P and Q */
#define PARENT_C 5
#define NAME_C   6
#define CACHED_C 7
#define DATA_C   8 /* what the owner of the memory writes */
#define WORDS    9

#define PROCS 3

#define ANY_LEAVES(p) \
	leaves(p, 0) leaves(p, 1) leaves(p, 2) leaves(p, 3) leaves(p, 4) leaves(p, 5) \
	leaves(p, 6) leaves(p, 7) leaves(p, 8)

#include "processors.h"

byte owners;  /* of C */
bit isFree;   /* C is on a list of free nodes. Lock */
bit ended[2]; /* P or Q is deleted */
bit created;  /* C is what the creation below P returned */

inline own()    { atomic { owners++; assert(owners == 1) } }
inline disown() { owners-- }

/* Creates a child of P that has the name 1. tree.Create, where it is quick. */
proctype Creator(byte p) {
	byte word;
	bool ok;
	load(p, FIRST(P), word);
	if
	:: word != C -> goto done
	:: else
	fi;
	load(p, CACHED_C, word);
	if
	:: word != 1 -> goto done
	:: else
	fi;
	load(p, NAME_C, word);
	if
	:: word != 1 -> goto done
	:: else
	fi;
	take(p, CACHED_C, ok);
	if
	:: !ok -> goto done
	:: else
	fi;
	own();
#ifndef NO_CHECK_NAME
	load(p, NAME_C, word);
	ok = (word == 1);
#endif
#ifndef NO_CHECK_PARENT
	load(p, PARENT_C, word);
	ok = ok && (word == P);
#endif
#ifndef NO_CHECK_LIVE
	load(p, EPOCH(P), word);
	ok = ok && (word == 1);
#endif
	if
	:: ok ->
		load(p, DATA_C, word);
		assert(word == 0);
		store(p, DATA_C, 1);
		store(p, EPOCH(C), 1);
		created = 1
	:: else ->
		disown();
#ifndef NO_PUT_BACK
		releaseStore(p, CACHED_C, 1)
#endif
	fi;
done:
	running--
}

/* Evicts C, creates a context from it, and deletes that. Node.evict, CreateWith, Ref.Delete. */
proctype Other(byte p) {
	byte word, name, parent;
	bool ok;
	acquire();
	take(p, CACHED_C, ok);
	if
	:: ok ->
		own();
		store(p, FIRST(P), NONE);
		store(p, PARENT_C, NONE);
		disown();
		isFree = 1
	:: else
	fi;
	release(p);
	if
	:: !ok -> goto done
	:: ok -> goto done
	:: ok
	fi;
	if
	:: parent = P
	:: parent = Q
	fi;
	if
	:: name = 1
	:: name = 2
	fi;
	acquire();
	load(p, EPOCH(parent), word);
	if
	:: word != 1 -> release(p); goto done
	:: else
	fi;
	isFree = 0;
	own();
	store(p, NAME_C, name);
	store(p, DATA_C, 1);
	store(p, EPOCH(C), name);
	store(p, PARENT_C, parent);
	store(p, FIRST(parent), C);
	release(p);
	load(p, EPOCH(parent), word); /* if it is deleted by now, the deletion below is undoCreate */
	atomicStore(p, EPOCH(C), 0);
	store(p, DATA_C, 0);
	disown();
#ifndef NO_RELEASE_CACHED
	releaseStore(p, CACHED_C, 1);
#else
	store(p, CACHED_C, 1);
#endif
done:
	running--
}

/* Deletes a parent, unless there is a context below it. Ref.end. */
proctype Deleter(byte p; byte n) {
	byte word;
	bool leaf;
#ifndef NO_FENCE_DELETE
	atomicStore(p, EPOCH(n), 0);
#else
	store(p, EPOCH(n), 0);
#endif
	leaf = true;
	load(p, FIRST(n), word);
	if
	:: word == C ->
		load(p, CACHED_C, word);
		leaf = (word == 1);
		load(p, PARENT_C, word);
		leaf = leaf && (word == n)
	:: else
	fi;
	if
	:: leaf -> ended[n] = 1
	:: else -> store(p, EPOCH(n), 1)
	fi;
	running--
}

init {
	byte n;
	atomic {
		memory[EPOCH(P)] = 1;
		memory[EPOCH(Q)] = 1;
		memory[FIRST(P)] = C;
		memory[FIRST(Q)] = NONE;
		memory[PARENT_C] = P;
		memory[NAME_C] = 1;
		memory[CACHED_C] = 1;
		if
		:: n = P
		:: n = Q
		fi;
		run Creator(0);
		run Other(1);
		run Deleter(2, n)
	}
	finished();
	assert(memory[CACHED_C] + isFree + created == 1);
	assert(!created || memory[PARENT_C] == P && memory[NAME_C] == 1);
	assert(!created || !ended[P])
}
