// churn: chunks of mixed sizes that die at random; churn-2: on two threads, which share nothing but
// the allocator. The clock starts when both have filled and warmed theirs, and stops after the later.

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>

#include "cell.h"
#include "peer.h"

#if HAS_FREE

enum { SLOTS = 10000, STEPS = 20000000 };

static struct churner {
	alignas(128) uint64_t random;
	context root, c;
	void *slots[SLOTS];
} churners[] = {{.random = 88172645463325252}, {.random = 362436069362436069}};

static pthread_barrier_t ready, set;

INLINE uint64_t draw(uint64_t x) {
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

INLINE size_t size(uint64_t random) {
	return 16 + (((random & 0xffff) * 497) >> 16);
}

static void steps(struct churner *s, long n) {
	uint64_t x = s->random;
	for (; n; n--) {
		x = draw(x);
		void **slot = &s->slots[((x >> 32) * SLOTS) >> 32];
		release(&s->c, *slot);
		*slot = written(alloc(&s->c, size(x)), (void *)n);
	}
	s->random = x;
}

static void prepare(struct churner *s) {
	s->root = create(NULL);
	s->c = create(&s->root);
	for (uintptr_t i = 0; i < SLOTS; i++) {
		s->random = draw(s->random);
		s->slots[i] = written(alloc(&s->c, size(s->random)), (void *)i);
	}
	steps(s, STEPS / 10);
}

static void *thread(void *churner) {
	prepare(churner);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&set);
	steps(churner, STEPS);
	return NULL;
}

static void churn_alone(void) {
	prepare(churners);
	double begin = cpu_ns();
	steps(churners, STEPS);
	printf("{\"ns\":%.3f}\n", (cpu_ns() - begin) / STEPS);
}

void churn(long threads) {
	if (threads == 1) {
		churn_alone();
		return;
	}
	pthread_t ids[2];
	pthread_barrier_init(&ready, NULL, 3);
	pthread_barrier_init(&set, NULL, 3);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&ids[i], NULL, thread, &churners[i]))
			fail("the system has no thread for churn-2");
	pthread_barrier_wait(&ready);
	double cpu = cpu_ns(), wall = wall_ns();
	pthread_barrier_wait(&set);
	for (int i = 0; i < 2; i++)
		pthread_join(ids[i], NULL);
	wall = wall_ns() - wall;
	printf("{\"ns\":%.3f,\"wall\":%.3f}\n", (cpu_ns() - cpu) / (2.0 * STEPS), wall / STEPS);
}

#endif
