package cell

import "github.com/gopalloc/palloc"

// The graphs: each node points at the one before it and at a random earlier one,
// on Go's heap and in a context.
//
// Invariant: both have nodes of two pointers and four words, in the same shape.
// Cost: a table of all nodes while the graph is built.

func init() {
	join("goheap", map[string]workload{"graph-gc": graphGC(goGraph)})
	join("palloc", map[string]workload{"graph-gc": graphGC(pallocGraph)})
}

type goVertex struct {
	prev, other *goVertex
	rest        [4]uintptr
}

func goGraph(nodes int) (last *goVertex) {
	x, all := seeds[0], make([]*goVertex, nodes)
	for i := range all {
		x = draw(x)
		all[i] = &goVertex{prev: last, other: all[earlier(x, i)]}
		last = all[i]
	}
	return last
}

// earlier returns one of the numbers up to i.
func earlier(x uint64, i int) uint64 { return (x >> 32) * uint64(i+1) >> 32 }

type pallocVertex struct {
	palloc.NoHeapPointers
	prev, other *pallocVertex
	rest        [4]uintptr
}

// pallocGraph never deletes its context: it ends with the process.
func pallocGraph(nodes int) (last *pallocVertex) {
	mc := palloc.NewAllocSet(palloc.Top(), "graph")
	x, all := seeds[0], make([]*pallocVertex, nodes)
	for i := range all {
		x = draw(x)
		p := palloc.New[pallocVertex](mc)
		p.prev, p.other = last, all[earlier(x, i)]
		all[i], last = p, p
	}
	return last
}
