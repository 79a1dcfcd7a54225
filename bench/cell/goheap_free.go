package cell

import "encoding/binary"

// Go's heap: chunks that are dropped one by one, by putting another in their
// place.
//
// Invariant: every entry of a table is a live chunk. Cost: what is measured.

func goPair(n int) {
	for i := range n {
		p := new(plain64)
		p[0] = uint64(i)
		kept.plain64 = p
	}
}

type goChurn struct {
	x     uint64
	table [][]byte
}

func newGoChurn(thread int) *goChurn {
	c := &goChurn{seeds[thread], make([][]byte, slots)}
	for i := range c.table {
		c.x = draw(c.x)
		c.table[i] = make([]byte, sizeOf(c.x))
		binary.NativeEndian.PutUint64(c.table[i], uint64(i))
	}
	return c
}

func (c *goChurn) steps(n int) {
	x, table := c.x, c.table
	for i := range n {
		x = draw(x)
		b := make([]byte, sizeOf(x))
		binary.NativeEndian.PutUint64(b, uint64(i))
		table[slotOf(x)] = b
	}
	c.x = x
}

type goQueue struct {
	next  int
	table *[ring]*plain128
}

func newGoQueue() *goQueue {
	q := &goQueue{table: new([ring]*plain128)}
	for i := range q.table {
		q.table[i] = &plain128{uint64(i)}
	}
	return q
}

func (q *goQueue) steps(n int) {
	next, table := q.next, q.table
	for i := range n {
		p := new(plain128)
		p[0] = uint64(i)
		table[next%ring] = p
		next++
	}
	q.next = next
}

func goCalls(n int) {
	for range n {
		for i := range kept.frame {
			p := new(plain100)
			binary.NativeEndian.PutUint64(p[:], uint64(i))
			kept.frame[i] = p
		}
	}
}
