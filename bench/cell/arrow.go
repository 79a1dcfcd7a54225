package cell

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Apache Arrow's allocator for Go: slices on Go's heap, on multiples of 64. It has
// neither resets nor anything for pointers; a free is a drop.
//
// Invariant: no chunk stays on a stack. Cost: what is measured.

func init() {
	join("arrow", map[string]workload{
		"pair-64": plain(func() figures { return steps(arrowPair) }),
		"churn":   plain(func() figures { return steps(newArrowChurn(0).steps) }),
		"churn-2": plain(func() figures {
			return stepsOfTwo([2]func(int){newArrowChurn(0).steps, newArrowChurn(1).steps})
		}),
		"queue-128": plain(func() figures { return steps(newArrowQueue().steps) }),
		"call":      plain(func() figures { return calls(arrowCalls) }),
		"grow-1":    plain(func() figures { return grow(1, arrowGrow) }),
		"grow-2":    plain(func() figures { return grow(2, arrowGrowTwo) }),
	})
}

// arrow is the allocator; it has no state.
var arrow = memory.NewGoAllocator()

func arrowPair(n int) {
	for i := range n {
		b := arrow.Allocate(64)
		binary.NativeEndian.PutUint64(b, uint64(i))
		kept.buffers[0] = b
		arrow.Free(b)
	}
}

type arrowChurn struct {
	x     uint64
	table [][]byte
}

func newArrowChurn(thread int) *arrowChurn {
	c := &arrowChurn{seeds[thread], make([][]byte, slots)}
	for i := range c.table {
		c.x = draw(c.x)
		c.table[i] = arrow.Allocate(sizeOf(c.x))
		binary.NativeEndian.PutUint64(c.table[i], uint64(i))
	}
	return c
}

func (c *arrowChurn) steps(n int) {
	x, table := c.x, c.table
	for i := range n {
		x = draw(x)
		slot := &table[slotOf(x)]
		arrow.Free(*slot)
		b := arrow.Allocate(sizeOf(x))
		binary.NativeEndian.PutUint64(b, uint64(i))
		*slot = b
	}
	c.x = x
}

type arrowQueue struct {
	next  int
	table [ring][]byte
}

func newArrowQueue() *arrowQueue {
	q := new(arrowQueue)
	for i := range q.table {
		q.table[i] = arrow.Allocate(128)
		binary.NativeEndian.PutUint64(q.table[i], uint64(i))
	}
	return q
}

func (q *arrowQueue) steps(n int) {
	next, table := q.next, &q.table
	for i := range n {
		b := arrow.Allocate(128)
		binary.NativeEndian.PutUint64(b, uint64(i))
		oldest := table[next%ring]
		table[next%ring] = b
		arrow.Free(oldest)
		next++
	}
	q.next = next
}

func arrowCalls(n int) {
	for range n {
		for i := range kept.slices {
			b := arrow.Allocate(100)
			binary.NativeEndian.PutUint64(b, uint64(i))
			kept.slices[i] = b
		}
		for _, b := range kept.slices {
			arrow.Free(b)
		}
	}
}

func arrowGrow(n int) {
	for range n {
		b := arrow.Allocate(firstBuf)
		clear(b)
		for size := firstBuf; size < lastBuf; size *= 2 {
			b = arrow.Reallocate(2*size, b)
			clear(b[size:])
		}
		kept.buffers[0] = b
		arrow.Free(b)
	}
}

func arrowGrowTwo(n int) {
	for range n {
		a, b := arrow.Allocate(firstBuf), arrow.Allocate(firstBuf)
		clear(a)
		clear(b)
		for size := firstBuf; size < lastBuf; size *= 2 {
			a = arrow.Reallocate(2*size, a)
			clear(a[size:])
			b = arrow.Reallocate(2*size, b)
			clear(b[size:])
		}
		kept.buffers = [2][]byte{a, b}
		arrow.Free(a)
		arrow.Free(b)
	}
}
