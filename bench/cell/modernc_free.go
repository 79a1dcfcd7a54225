//go:build unix || windows

package cell

import (
	"unsafe"

	"modernc.org/memory"
)

// modernc.org/memory: tables of chunks, buffers that double, and trees.
//
// Invariant: every entry of a table is a live chunk. Cost: what is measured.

type moderncChurn struct {
	memory.Allocator
	x     uint64
	table []unsafe.Pointer
}

func newModerncChurn(thread int) *moderncChurn {
	c := &moderncChurn{x: seeds[thread], table: make([]unsafe.Pointer, slots)}
	for i := range c.table {
		c.x = draw(c.x)
		c.table[i] = must(c.UnsafeMalloc(sizeOf(c.x)))
		*(*uint64)(c.table[i]) = uint64(i)
	}
	return c
}

func (c *moderncChurn) steps(n int) {
	x, table := c.x, c.table
	for i := range n {
		x = draw(x)
		slot := &table[slotOf(x)]
		c.UnsafeFree(*slot)
		p := must(c.UnsafeMalloc(sizeOf(x)))
		*(*uint64)(p) = uint64(i)
		*slot = p
	}
	c.x = x
}

type moderncQueue struct {
	memory.Allocator
	next  int
	table [ring]unsafe.Pointer
}

func newModerncQueue() *moderncQueue {
	q := new(moderncQueue)
	for i := range q.table {
		q.table[i] = must(q.UnsafeMalloc(128))
		*(*uint64)(q.table[i]) = uint64(i)
	}
	return q
}

func (q *moderncQueue) steps(n int) {
	next, table := q.next, &q.table
	for i := range n {
		p := must(q.UnsafeMalloc(128))
		*(*uint64)(p) = uint64(i)
		oldest := table[next%ring]
		table[next%ring] = p
		q.UnsafeFree(oldest)
		next++
	}
	q.next = next
}

func moderncGrow(m *memory.Allocator, n int) {
	for range n {
		p := must(m.UnsafeMalloc(firstBuf))
		clear(part(p, 0, firstBuf))
		for size := firstBuf; size < lastBuf; size *= 2 {
			p = must(m.UnsafeRealloc(p, 2*size))
			clear(part(p, size, 2*size))
		}
		m.UnsafeFree(p)
	}
}

func moderncGrowTwo(m *memory.Allocator, n int) {
	for range n {
		p, q := must(m.UnsafeMalloc(firstBuf)), must(m.UnsafeMalloc(firstBuf))
		clear(part(p, 0, firstBuf))
		clear(part(q, 0, firstBuf))
		for size := firstBuf; size < lastBuf; size *= 2 {
			p = must(m.UnsafeRealloc(p, 2*size))
			clear(part(p, size, 2*size))
			q = must(m.UnsafeRealloc(q, 2*size))
			clear(part(q, size, 2*size))
		}
		m.UnsafeFree(p)
		m.UnsafeFree(q)
	}
}

func moderncBuild(m *memory.Allocator, depth int) *goNode {
	n := (*goNode)(must(m.UnsafeCalloc(int(unsafe.Sizeof(goNode{})))))
	if depth > 0 {
		n.left = moderncBuild(m, depth-1)
		n.right = moderncBuild(m, depth-1)
	}
	return n
}

func moderncFell(m *memory.Allocator, n *goNode) {
	if n.left != nil {
		moderncFell(m, n.left)
		moderncFell(m, n.right)
	}
	m.UnsafeFree(unsafe.Pointer(n))
}

// moderncGrove has an allocator to itself, since one may not be shared.
func moderncGrove() grove {
	m := new(memory.Allocator)
	return grove{
		plant: func(depth, trees int) (nodes int) {
			for range trees {
				n := moderncBuild(m, depth)
				nodes += n.count()
				moderncFell(m, n)
			}
			return nodes
		},
		keep: func(depth int) func() int {
			n := moderncBuild(m, depth)
			return func() int {
				defer moderncFell(m, n)
				return n.count()
			}
		},
	}
}
