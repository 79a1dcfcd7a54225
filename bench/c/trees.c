// trees-1 and trees-2: the binary trees of the Benchmarks Game. Each tree has a context of its own,
// which goes with it; an allocator without contexts frees the nodes one by one. The trees of each depth
// are shared out evenly to the threads, which share nothing but the allocator.

#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>

#include "cell.h"
#include "peer.h"

enum { DEPTH = 21, SHALLOWEST = 4, STRIDE = 4 };

struct node {
	struct node *left, *right;
};

static struct share {
	alignas(128) long threads, nodes;
} shares[2];

static struct node *build(context *c, int depth) {
	struct node *n = usable(alloc(c, sizeof *n));
	n->left = depth ? build(c, depth - 1) : NULL;
	n->right = depth ? build(c, depth - 1) : NULL;
	return n;
}

static long count(const struct node *n) {
	return n->left ? 1 + count(n->left) + count(n->right) : 1;
}

#if HAS_CONTEXTS
static void drop(context *c, struct node *n) {
	destroy(c, NULL);
}
#else
static void drop(context *c, struct node *n) {
	if (n->left) {
		drop(c, n->left);
		drop(c, n->right);
	}
	release(c, n);
}
#endif

// tree builds one, counts its nodes, and drops it.
static long tree(context *root, int depth) {
	context c = create(root);
	struct node *n = build(&c, depth);
	long nodes = count(n);
	drop(&c, n);
	return nodes;
}

static void *run(void *share) {
	struct share *s = share;
	context root = create(NULL);
	for (int depth = SHALLOWEST; depth <= DEPTH; depth += STRIDE)
		for (long left = (1L << (DEPTH - depth + SHALLOWEST)) / s->threads; left; left--)
			s->nodes += tree(&root, depth);
	return NULL;
}

// run_all goes through all depths, on as many threads as there are to be.
static long run_all(long threads) {
	pthread_t ids[2];
	long nodes = 0;
	for (int i = 0; i < threads; i++) {
		shares[i].threads = threads;
		if (threads == 1)
			run(&shares[i]);
		else if (pthread_create(&ids[i], NULL, run, &shares[i]))
			fail("the system has no thread for trees-2");
	}
	for (int i = 0; i < threads; i++) {
		if (threads > 1)
			pthread_join(ids[i], NULL);
		nodes += shares[i].nodes;
	}
	return nodes;
}

void trees(long threads) {
	double cpu = cpu_ns(), wall = wall_ns();
	context root = create(NULL);
	long check = tree(&root, DEPTH + 1);
	context c = create(&root);
	struct node *lasting = build(&c, DEPTH);
	check += run_all(threads);
	check += count(lasting);
	drop(&c, lasting);
	wall = wall_ns() - wall;
	printf("{\"ns\":%.0f,\"wall\":%.0f,\"check\":%ld}\n", cpu_ns() - cpu, wall, check);
}
