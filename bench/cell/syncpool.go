package cell

import (
	"encoding/binary"
	"sync"
)

// sync.Pool: chunks that are put back and got again, for what programs pool most:
// an object that one call needs.
//
// Invariant: a pool has chunks of one type. Cost: what is measured.

func init() {
	join("syncpool", map[string]workload{
		"pair-64": plain(func() figures { return steps(poolPair) }),
		"call":    plain(func() figures { return calls(poolCalls) }),
	})
}

var (
	pool64  = sync.Pool{New: func() any { return new(plain64) }}
	pool100 = sync.Pool{New: func() any { return new(plain100) }}
)

func poolPair(n int) {
	for i := range n {
		p := pool64.Get().(*plain64)
		p[0] = uint64(i)
		pool64.Put(p)
	}
}

func poolCalls(n int) {
	var frame [perCall]*plain100
	for range n {
		for i := range frame {
			p := pool100.Get().(*plain100)
			binary.NativeEndian.PutUint64(p[:], uint64(i))
			frame[i] = p
		}
		for _, p := range frame {
			pool100.Put(p)
		}
	}
}
