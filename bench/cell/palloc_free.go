package cell

import "github.com/gopalloc/palloc"

// palloc: chunks that are freed one by one.
//
// The tables are pointers on Go's heap, as a user keeps them. That costs a look
// at the write barrier's flag with each store; the barrier itself is on only
// during a collection, and nothing here makes garbage.
//
// Invariant: every entry of a table is a live chunk. Cost: what is measured.

func pallocPair(mc palloc.Context, n int) {
	for i := range n {
		p := mc.Alloc(64)
		*(*uint64)(p) = uint64(i)
		palloc.FreePointer(p)
	}
}

type pallocChurn struct {
	mc    palloc.Context
	x     uint64
	table []*uint64
}

func newPallocChurn(mc palloc.Context, thread int) *pallocChurn {
	c := &pallocChurn{mc, seeds[thread], make([]*uint64, slots)}
	for i := range c.table {
		c.x = draw(c.x)
		p := (*uint64)(mc.Alloc(sizeOf(c.x)))
		*p = uint64(i)
		c.table[i] = p
	}
	return c
}

func (c *pallocChurn) steps(n int) {
	mc, x, table := c.mc, c.x, c.table
	for i := range n {
		x = draw(x)
		slot := &table[slotOf(x)]
		palloc.Free(*slot)
		p := (*uint64)(mc.Alloc(sizeOf(x)))
		*p = uint64(i)
		*slot = p
	}
	c.x = x
}

type pallocQueue struct {
	mc    palloc.Context
	next  int
	table *[ring]*uint64
}

func newPallocQueue(mc palloc.Context) *pallocQueue {
	q := &pallocQueue{mc, 0, new([ring]*uint64)}
	for i := range q.table {
		p := (*uint64)(mc.Alloc(128))
		*p = uint64(i)
		q.table[i] = p
	}
	return q
}

func (q *pallocQueue) steps(n int) {
	mc, next, table := q.mc, q.next, q.table
	for i := range n {
		p := (*uint64)(mc.Alloc(128))
		*p = uint64(i)
		oldest := table[next%ring]
		table[next%ring] = p
		palloc.Free(oldest)
		next++
	}
	q.next = next
}
