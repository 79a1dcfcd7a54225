package cell

import "github.com/gopalloc/palloc"

// palloc: chunks that are freed by a reset. Each has the address of the one
// before it.
//
// Invariant: none is cleared but in pallocCachedZeroed. Cost: what is measured.

func pallocCached(mc palloc.Context, rounds int) {
	for range rounds {
		var last *plain64
		for range perRound {
			p := palloc.NewUninitialized[plain64](mc)
			p[0] = numberOf(last)
			last = p
		}
		mc.Reset()
	}
}

func pallocCachedZeroed(mc palloc.Context, rounds int) {
	for range rounds {
		var last *plain64
		for range perRound {
			p := palloc.New[plain64](mc)
			p[0] = numberOf(last)
			last = p
		}
		mc.Reset()
	}
}

func pallocMillion16(mc palloc.Context, chunks int) {
	var last *plain16
	for range chunks {
		p := palloc.NewUninitialized[plain16](mc)
		p[0] = numberOf(last)
		last = p
	}
	mc.Reset()
}

func pallocMillion64(mc palloc.Context, chunks int) {
	var last *plain64
	for range chunks {
		p := palloc.NewUninitialized[plain64](mc)
		p[0] = numberOf(last)
		last = p
	}
	mc.Reset()
}

func pallocMillion256(mc palloc.Context, chunks int) {
	var last *plain256
	for range chunks {
		p := palloc.NewUninitialized[plain256](mc)
		p[0] = numberOf(last)
		last = p
	}
	mc.Reset()
}
