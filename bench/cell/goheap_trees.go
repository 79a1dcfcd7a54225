package cell

// Go's heap: binary trees, dropped whole.
//
// Invariant: none. Cost: what is measured.

type goNode struct{ left, right *goNode }

func goBuild(depth int) *goNode {
	n := new(goNode)
	if depth > 0 {
		n.left = goBuild(depth - 1)
		n.right = goBuild(depth - 1)
	}
	return n
}

func (n *goNode) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

var goGrove = grove{
	plant: func(depth, trees int) (nodes int) {
		for range trees {
			nodes += goBuild(depth).count()
		}
		return nodes
	},
	keep: func(depth int) func() int { return goBuild(depth).count },
}
