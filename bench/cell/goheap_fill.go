package cell

// Go's heap: chunks that are dropped all at once. Each has a pointer to the one
// before it, so that all live until the last is dropped.
//
// Invariant: the last is reachable when the loop is done. Cost: what is measured.

func goCached(rounds int) {
	for range rounds {
		var last *linked64
		for range perRound {
			last = &linked64{prev: last}
		}
		kept.linked64 = last
		kept.linked64 = nil
	}
}

func goMillion16(chunks int) {
	var last *linked16
	for range chunks {
		last = &linked16{prev: last}
	}
	kept.linked16 = last
	kept.linked16 = nil
}

func goMillion64(chunks int) {
	var last *linked64
	for range chunks {
		last = &linked64{prev: last}
	}
	kept.linked64 = last
	kept.linked64 = nil
}

func goMillion256(chunks int) {
	var last *linked256
	for range chunks {
		last = &linked256{prev: last}
	}
	kept.linked256 = last
	kept.linked256 = nil
}
