package simplepool

// Step 2: when a block is full, another one is acquired.
//
// Cost: a block once in as many chunks as fit.

// blockSize is the size of the blocks that chunks share, in bytes.
const blockSize = 8192

// A Pool allocates chunks that end together. The zero Pool is empty and ready to use. It is not
// for several goroutines at a time.
//
// Invariant: chunks are cut off blocks[current]. The blocks before it are full, up to a rest; those
// behind it are empty.
type Pool struct {
	blocks  []*block
	current int
	large   []*block // see step 3
	held    int      // bytes of all blocks
}

// Held returns the bytes that the pool has acquired and not given back.
func (p *Pool) Held() int { return p.held }

// allocSmall cuts a chunk off the current block, and off the next one if that is full.
func (p *Pool) allocSmall(size int) []byte {
	for ; p.current < len(p.blocks); p.current++ {
		if chunk := p.blocks[p.current].alloc(size); chunk != nil {
			return chunk
		}
	}
	b := p.acquire(blockSize)
	p.blocks = append(p.blocks, b)
	return b.alloc(size)
}

// acquire gets a block from Go's heap.
func (p *Pool) acquire(size int) *block {
	b := newBlock(size)
	p.held += len(b.memory)
	return b
}
