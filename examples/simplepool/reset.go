package simplepool

// Step 4: all chunks end at once.
//
// Cost: a step for each block, whatever the number of chunks.

// Reset ends all chunks. The large ones are given back; the blocks of the others serve again, so
// that a loop acquires none from its second round on.
func (p *Pool) Reset() {
	for _, b := range p.blocks[:min(p.current+1, len(p.blocks))] {
		b.used = 0
	}
	for _, b := range p.large {
		p.held -= len(b.memory)
	}
	clear(p.large) // Go's collector frees what nothing refers to
	p.current, p.large = 0, p.large[:0]
}

// Release ends all chunks, and gives all blocks back.
func (p *Pool) Release() { *p = Pool{} }
