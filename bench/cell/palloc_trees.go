package cell

import "github.com/gopalloc/palloc"

// palloc: binary trees, each in a context of its own below one of its thread's.
//
// Invariant: nodes are cleared, since they hold pointers. Cost: what is measured.

type pallocNode struct {
	palloc.NoHeapPointers
	left, right *pallocNode
}

func pallocBuild(mc palloc.Context, depth int) *pallocNode {
	n := palloc.New[pallocNode](mc)
	if depth > 0 {
		n.left = pallocBuild(mc, depth-1)
		n.right = pallocBuild(mc, depth-1)
	}
	return n
}

func (n *pallocNode) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func init() {
	join("palloc-allocset", pallocTrees(palloc.NewAllocSet, pallocSetTrees))
	join("palloc-bump", pallocTrees(palloc.NewBump, pallocBumpTrees))
}

// pallocTrees returns the game with trees in contexts that create makes.
func pallocTrees(create func(palloc.Context, string, ...palloc.Option) palloc.Context, plant func(palloc.Context, int, int) int) map[string]workload {
	in := func(parent palloc.Context) grove {
		return grove{
			plant: func(depth, trees int) int { return plant(parent, depth, trees) },
			keep: func(depth int) func() int {
				mc := create(parent, "tree")
				n := pallocBuild(mc, depth)
				return func() int {
					defer mc.Delete()
					return n.count()
				}
			},
		}
	}
	return map[string]workload{
		"trees-1": plain(func() figures {
			one := set(0)
			defer one.Delete()
			return trees(in(one))
		}),
		"trees-2": plain(func() figures {
			one, two := set(0), set(0)
			defer one.Delete()
			defer two.Delete()
			return trees(in(one), in(two))
		}),
	}
}

func pallocSetTrees(parent palloc.Context, depth, trees int) (nodes int) {
	for range trees {
		mc := palloc.NewAllocSet(parent, "tree")
		nodes += pallocBuild(mc, depth).count()
		mc.Delete()
	}
	return nodes
}

func pallocBumpTrees(parent palloc.Context, depth, trees int) (nodes int) {
	for range trees {
		mc := palloc.NewBump(parent, "tree")
		nodes += pallocBuild(mc, depth).count()
		mc.Delete()
	}
	return nodes
}
