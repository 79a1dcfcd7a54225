package cell

import "github.com/gopalloc/palloc"

// palloc: buffers that double. What C fills with memset is filled with zeros, by
// the only call that Go has for it.
//
// Invariant: every byte is written once. Cost: what is measured.

func pallocGrow(mc palloc.Context, n int) {
	for range n {
		p := mc.Alloc(firstBuf)
		clear(part(p, 0, firstBuf))
		for size := firstBuf; size < lastBuf; size *= 2 {
			p = palloc.Realloc(p, 2*size)
			clear(part(p, size, 2*size))
		}
		palloc.FreePointer(p)
	}
}

func pallocGrowTwo(mc palloc.Context, n int) {
	for range n {
		p, q := mc.Alloc(firstBuf), mc.Alloc(firstBuf)
		clear(part(p, 0, firstBuf))
		clear(part(q, 0, firstBuf))
		for size := firstBuf; size < lastBuf; size *= 2 {
			p = palloc.Realloc(p, 2*size)
			clear(part(p, size, 2*size))
			q = palloc.Realloc(q, 2*size)
			clear(part(q, size, 2*size))
		}
		palloc.FreePointer(p)
		palloc.FreePointer(q)
	}
}
