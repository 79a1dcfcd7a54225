// Package chunk is memory sold retail: the word in front of a chunk, and the
// size classes.
//
// The header is one 64-bit word, whatever the machine:
//
//	bits 38..63  number of the context's core
//	bits 16..37  salt of the context, a new one at every reset and delete
//	bits  0..15  what the chunk is: its kind, its size, live or freed
//
// A core keeps its own number and salt in the same places (its stamp), so that
// header XOR stamp is small exactly when the header is genuine, and then says
// what the chunk is: one load, one XOR and one compare tell a live chunk from a
// freed one, from one that a reset or delete took back, from the middle of a
// chunk and from garbage.
//
// Invariant: every chunk of a kind with headers has one; a freed chunk's says
// so; no live chunk's survives its context's reset.
//
// Chance that 8 random bytes pass for a header: one in 2^22 for the salt alone,
// were the number of a live context known; with the low bits one in 2^33 for an
// AllocSet, 2^34 for a Slab. A Generation's have more valid values, but must agree
// with the head of the block that they lead to. Bytes that never were a header
// cannot know the number either, which divides the chance by 2^26 over the number
// of live contexts.
package chunk

import "github.com/gopalloc/palloc/internal/osmem"

const (
	HeaderSize = 8 // bytes in front of a chunk
	Align      = 8 // every chunk lies on a multiple of this

	saltShift = 16
	saltMask  = 1<<(IndexShift-saltShift) - 1

	// IndexShift is where a header has the number of the core.
	IndexShift = 38

	// MostCores is how many cores there can be at one time.
	MostCores = 1 << (64 - IndexShift)
)

// What a chunk is: the low bits of its header. Live chunks of an AllocSet's
// classes have the class itself there, the smallest values.
const (
	Freed = Classes // class | Freed: waits on the freelist of its class

	// mask | Generation | class and mask | GenerationFreed | class: the mask is that
	// of the bits above Grain that an address has within its block.
	Generation      = 0x40
	GenerationFreed = 0x60
	GenerationMask  = 0x7f00
	GenerationGap   = 0xc0 // mask | GenerationGap: 8 bytes that no chunk has

	Large      = 0x80 // has a block of its own
	LargeFreed = 0x81
	Redirect   = 0x82 // an aligned address; the true chunk's is kept before it
	Redirected = 0x83 // the same, freed

	// Slab | frame and SlabFreed | frame.
	Slab      = 0x90
	SlabFreed = 0xa0
	SlabFrame = 13 // the largest: 2 MiB, since regions lie on multiples of 4

	// Free memory of an AllocSet that was joined, see allocset/span.go. A span says
	// its size itself; a crumb is too small for that and says it here, in words.
	Span    = 0xb0
	Crumb   = 0xb0 // plus 1 to 4 words
	Unlined = 0xb5 // two words that are on no list
	Tail    = 0xb6 // up to the end of the block
	Joined  = 0xb7 // became a part of what is free around it

	// Shared | class and SharedFreed | class: of a part of a context that many
	// goroutines use.
	Shared      = 0xc0
	SharedFreed = 0xe0

	// Own and above are any kind's: no stage of the hot path takes them.
	Own = 0x8000

	// Whats is the end of the values.
	Whats = 1 << saltShift
)

// Header reads the word in front of the chunk at p.
func Header(p uintptr) uint64 { return *(*uint64)(osmem.At(p - HeaderSize)) }

// SetHeader writes the word in front of the chunk at p.
func SetHeader(p uintptr, h uint64) { *(*uint64)(osmem.At(p - HeaderSize)) = h }

// Index is the number of the core that a header names.
func Index(h uint64) uint32 { return uint32(h >> IndexShift) }

// Stamp is the number and the salt of a core, as its headers have them.
func Stamp(index uint32, salt uint64) uint64 {
	return uint64(index)<<IndexShift | salt&saltMask<<saltShift
}

// Renew is the stamp with another salt. The step is odd, so that all 2^22 salts
// pass before one comes back.
func Renew(stamp uint64) uint64 {
	const step = 0x2545f5
	salt := (stamp>>saltShift + step) & saltMask
	return stamp&^(saltMask<<saltShift) | salt<<saltShift
}
