package cell

// Go's heap: buffers that double. A longer one is made, the old one is copied,
// and the new half filled.
//
// Invariant: the buffer is reachable from outside of the stack. Cost: what is
// measured.

func goGrow(n int) {
	for range n {
		b := make([]byte, firstBuf)
		clear(b)
		for size := firstBuf; size < lastBuf; size *= 2 {
			b = goDouble(b)
		}
		kept.buffers[0] = b
		kept.buffers[0] = nil
	}
}

func goGrowTwo(n int) {
	for range n {
		a, b := make([]byte, firstBuf), make([]byte, firstBuf)
		clear(a)
		clear(b)
		for size := firstBuf; size < lastBuf; size *= 2 {
			a = goDouble(a)
			b = goDouble(b)
		}
		kept.buffers = [2][]byte{a, b}
		kept.buffers = [2][]byte{}
	}
}

// goDouble is inlined.
func goDouble(b []byte) []byte {
	longer := make([]byte, 2*len(b))
	copy(longer, b)
	clear(longer[len(b):])
	return longer
}
