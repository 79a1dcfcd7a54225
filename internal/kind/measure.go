package kind

import "github.com/gopalloc/palloc/internal/chunk"

// What a chunk offers and takes.
//
// Invariant: the live chunks of a context together take no more than what it uses.
//
// Cost: a few words.

// Measure returns how many bytes of the chunk at p, aligned or not, may be used, and how
// many it takes: with its header and what lies before an aligned address; of a block of
// its own, all. The error is a Misuse.
func Measure(m Methods, c *Core, p uintptr, tag uint64) (usable, taken uintptr, err error) {
	whole := p
	if tag == chunk.Redirect {
		if whole, tag, err = follow(c, p); err != nil {
			return 0, 0, err
		}
	}
	capacity := m.Capacity(c, whole, tag)
	if capacity == 0 {
		return 0, 0, TagFault(m, tag)
	}
	taken = chunk.HeaderSize + capacity
	if tag == chunk.Large {
		taken += BlockHeader
	}
	return capacity - min(p-whole, capacity), taken, nil
}
