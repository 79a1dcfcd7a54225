package kind

import "github.com/gopalloc/palloc/internal/chunk"

// What a chunk offers and takes.
//
// Invariant: what the live chunks of a context take is no more than what it uses.
//
// Cost: a few words.

// Measure is how many bytes of the chunk at p, aligned or not, may be used, and how
// many it takes: with its header and what lies before an aligned address; of a
// block of its own, all. The error is a Misuse.
func Measure(m Methods, c *Core, p uintptr, what uint64) (usable, taken uintptr, err error) {
	whole := p
	if what == chunk.Redirect {
		if whole, what, err = follow(c, p); err != nil {
			return 0, 0, err
		}
	}
	capacity := m.Capacity(c, whole, what)
	if capacity == 0 {
		return 0, 0, TagFault(m, what)
	}
	taken = chunk.HeaderSize + capacity
	if what == chunk.Large {
		taken += BlockHeader
	}
	return capacity - min(p-whole, capacity), taken, nil
}
