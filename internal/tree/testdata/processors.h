/*
 * Processors that reorder stores, for the models of this directory: an include.
 *
 * Each process p, from 0 to PROCS-1, has a buffer of stores that others do not see yet. Plain
 * stores leave it in any order, as on arm64, riscv64 and ppc64, where they wait for each other
 * only if they are to the same word. A release store leaves it after all earlier ones, and
 * later loads may come before it: a plain store of amd64, and weaker than STLR of arm64, which
 * a later LDAR waits for. An atomic store, a swap or an unlock waits until the buffer is
 * empty, and an atomic load or a swap comes next where it is used so. Where plain stores come
 * next, as after an atomic add, the model has a release store: on arm64 they may be seen before
 * what LDAXR and STLXR stored. So on amd64, where stores leave in order, all that can happen is among what the model
 * looks at.
 *
 * Loads are in order, since all that matter are atomic in Go: LDAR on arm64, and a load between
 * fences on riscv64 and ppc64. No load is late, but each store may be, which is the same to those
 * who look.
 *
 * To lock empties no buffer, to unlock does; a model that defines UNLOCK_IS_NO_FENCE has an
 * unlock that is only a release store.
 *
 * A model defines WORDS, PROCS and ANY_LEAVES(p), a leaves(p, v) for each word v
 * that is stored to, before it includes this.
 */

#define LOCK  WORDS /* 1 while a process has the lock */
#define WIDTH (WORDS + 1)

byte memory[WIDTH];
byte pending[PROCS * WIDTH];  /* value in the buffer */
short waits[PROCS];           /* bit v: word v is in the buffer */
short before[PROCS * WIDTH];  /* of a release store in the buffer: the words that leave before it */
byte running = PROCS;         /* those that are not done */

#define has(p, v) ((waits[p] >> (v)) & 1)

inline load(p, v, to) {
	d_step {
		if
		:: has(p, v) -> to = pending[(p) * WIDTH + (v)]
		:: else -> to = memory[v]
		fi
	}
}

inline store(p, v, x) {
	d_step {
		pending[(p) * WIDTH + (v)] = x;
		waits[p] = waits[p] | (1 << (v));
	}
}

inline fence(p) { waits[p] == 0 }

/* It waits for an earlier store to the same word. */
inline releaseStore(p, v, x) {
	d_step {
		!has(p, v) ->
		before[(p) * WIDTH + (v)] = waits[p] & ~(1 << (v));
		pending[(p) * WIDTH + (v)] = x;
		waits[p] = waits[p] | (1 << (v));
	}
}

/* An atomic store: the buffer is empty before and after it. */
inline atomicStore(p, v, x) {
	atomic { fence(p); memory[v] = x }
}

/* A compare and swap of a word from 1 to 0. */
inline take(p, v, ok) {
	atomic {
		fence(p);
		ok = (memory[v] == 1);
		if
		:: ok -> memory[v] = 0
		:: else
		fi
	}
}

inline acquire() { atomic { memory[LOCK] == 0 -> memory[LOCK] = 1 } }

inline release(p) {
#ifndef UNLOCK_IS_NO_FENCE
	atomic { fence(p); memory[LOCK] = 0 }
#else
	releaseStore(p, LOCK, 0)
#endif
}

/* A store leaves the buffer of p. */
hidden byte w;

#define leaves(p, v) \
	:: d_step { has(p, v) && !before[(p) * WIDTH + (v)] -> \
		memory[v] = pending[(p) * WIDTH + (v)]; \
		waits[p] = waits[p] & ~(1 << (v)); \
		pending[(p) * WIDTH + (v)] = 0; \
		w = 0; \
		do \
		:: w < WIDTH -> \
			before[(p) * WIDTH + w] = before[(p) * WIDTH + w] & ~(1 << (v)); \
			w++ \
		:: else -> break \
		od; \
		w = 0 }

#ifdef UNLOCK_IS_NO_FENCE
#define LEAVES(p) ANY_LEAVES(p) leaves(p, LOCK)
#else
#define LEAVES(p) ANY_LEAVES(p)
#endif

active proctype Processors() {
end:
	do
	LEAVES(0)
	LEAVES(1)
#if PROCS > 2
	LEAVES(2)
#endif
#if PROCS > 3
	LEAVES(3)
#endif
	od
}

/* The end: all processes are done, and all stores have left. */
inline finished() {
	running == 0 && waits[0] == 0 && waits[1] == 0;
#if PROCS > 2
	waits[2] == 0;
#endif
#if PROCS > 3
	waits[3] == 0;
#endif
}
