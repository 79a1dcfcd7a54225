package simplepool

// Step 3: a chunk that would fill much of a block has a block of its own, so that the rest of the
// current block is not lost.
//
// Cost: a block for each of them; the rest of a shared block that is lost is less than a quarter.

// maxShared is the size of the largest chunk that shares a block, in bytes.
const maxShared = blockSize / 4

// Alloc returns size bytes, which are not cleared, at a multiple of 8. They are valid until the
// next Reset or Release.
func (p *Pool) Alloc(size int) []byte {
	if size <= maxShared {
		return p.allocSmall(size)
	}
	b := p.acquire(size)
	p.large = append(p.large, b)
	return b.alloc(size)
}

// Free does nothing. A chunk has no header that tells its size, and no list of freed chunks
// leads to it: this is the fault of the simple pool.
func (p *Pool) Free(chunk []byte) {}
