// Package simplepool is a pool of memory in four steps, a file each: a block and a mark that
// moves, further blocks, large chunks, and the end of all chunks at once. It is the simple pool
// of docs/chapter, and has its fault: a chunk that is freed serves no other request before the
// whole pool is reset.
//
// Cost: a chunk takes its size, rounded up to 8 bytes, and no header; to allocate one is an
// addition and a comparison.
package simplepool

// Step 1: one block is acquired, and a mark moves through it.

// A block is memory that was acquired at once, and is cut into chunks from the front.
//
// Invariant: used is a multiple of 8 and at most len(memory), which is one, too. The chunks lie
// below it.
type block struct {
	memory []byte
	used   int
}

// newBlock acquires a block of at least size bytes.
func newBlock(size int) *block { return &block{memory: make([]byte, roundUp(size))} }

// alloc cuts a chunk off the block. It returns nil if too little is left.
func (b *block) alloc(size int) []byte {
	start := b.used
	if size > len(b.memory)-start {
		return nil
	}
	b.used = start + roundUp(size)
	return b.memory[start : start+size : start+size]
}

// roundUp returns the next multiple of 8, on which every chunk begins.
func roundUp(size int) int { return (size + 7) &^ 7 }
