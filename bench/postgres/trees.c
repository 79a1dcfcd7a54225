/*
 * The binary trees of the Benchmarks Game, depth 21.
 *
 * Invariant: a tree has a context of its own, and goes with it. Cost: building
 * 346 million nodes and walking over each once, some seconds.
 */
#include "bench.h"

#define LEAST_DEPTH 4
#define DEPTH 21
#define STRIDE 4

typedef struct TreeNode {
	struct TreeNode *left;
	struct TreeNode *right;
} TreeNode;

static TreeNode *
build(MemoryContext mc, int depth)
{
	TreeNode *node = MemoryContextAlloc(mc, sizeof(TreeNode));

	node->left = depth > 0 ? build(mc, depth - 1) : NULL;
	node->right = depth > 0 ? build(mc, depth - 1) : NULL;
	return node;
}

static int64
count(const TreeNode *node)
{
	return node->left ? 1 + count(node->left) + count(node->right) : 1;
}

/* Builds, counts and deletes one tree. */
static int64
tree(BenchKind kind, int depth)
{
	MemoryContext mc = bench_create_default(kind, CurrentMemoryContext, sizeof(TreeNode));
	int64 nodes = count(build(mc, depth));

	MemoryContextDelete(mc);
	return nodes;
}

static int64
forest(BenchKind kind)
{
	int64 check = tree(kind, DEPTH + 1);
	MemoryContext mc = bench_create_default(kind, CurrentMemoryContext, sizeof(TreeNode));
	TreeNode *lasting = build(mc, DEPTH);

	for (int depth = LEAST_DEPTH; depth <= DEPTH; depth += STRIDE) {
		int trees = 1 << (DEPTH - depth + LEAST_DEPTH);

		for (int i = 0; i < trees; i++)
			check += tree(kind, depth);
	}
	check += count(lasting);
	MemoryContextDelete(mc);
	return check;
}

char *
bench_trees(const BenchCell *cell)
{
	int64 wall = bench_wall();
	int64 cpu = bench_cpu();
	int64 check = forest(cell->kind);

	cpu = bench_cpu() - cpu;
	wall = bench_wall() - wall;
	return psprintf("{\"ns\":" INT64_FORMAT ",\"wall\":" INT64_FORMAT ",\"check\":" INT64_FORMAT "}", cpu, wall, check);
}
