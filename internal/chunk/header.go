// Package chunk defines the header in front of a chunk, and the size classes.
//
// It holds: the header, one 64-bit word on every machine:
//
//	bits 38..63  index of the context's core
//	bits 16..37  version of the context, a new one at every reset and deletion
//	bits  0..15  tag bits: the kind of chunk, its size class, live or freed
//
// A core keeps its own index and version in the same places, and LowByte in the low byte: its cookie. So header
// XOR cookie is below TagLimit exactly when the header is valid, and then is the tag
// bits. One load, one XOR and one compare tell a live chunk from a freed one, from
// one that a reset or deletion took back, from the middle of a chunk and from other
// data.
//
// Invariant: every chunk of a kind with headers has one. The header of a freed chunk
// says so. No header of a live chunk stays valid after a reset of its context.
//
// Chance that 8 random bytes are a valid header: one in 2^22 for the version alone,
// if they have the index of a live context; with the tag bits one in 2^33 for an
// AllocSet, 2^34 for a Slab. A Generation has more valid values, but they must agree
// with the head of the block that they lead to. Bytes that never were a header must
// have the index of a live context by chance, too, which divides the chance by 2^26
// over the number of live contexts.
package chunk

import "github.com/gopalloc/palloc/internal/osmem"

const (
	HeaderSize = 8 // bytes in front of a chunk
	Align      = 8 // every chunk begins at a multiple of this

	// LowByte is the low byte of every cookie, so that no header of a live chunk stays one when its
	// low byte is overwritten by 0 or by 0xff.
	LowByte = 0x80

	versionShift = 16
	versionMask  = 1<<(IndexShift-versionShift) - 1

	// IndexShift is the lowest bit of the index in a header.
	IndexShift = 38

	// MaxCores is the number of cores that there can be at one time.
	MaxCores = 1 << (64 - IndexShift)
)

// The tag bits of a header. Those of live chunks of an AllocSet's size classes are
// the class itself: the smallest values.
const (
	// Freed | class: on the free list of its class.
	Freed = Classes

	// mask | Generation | class and mask | GenerationFreed | class. The bits of the
	// mask, and the low 8, are those of an address that are its offset in its block.
	Generation      = 0x40
	GenerationFreed = 0x60
	GenerationMask  = 0x7f00
	GenerationGap   = 0xc0 // mask | GenerationGap: 8 bytes that belong to no chunk

	Large         = 0x80 // has a block of its own
	LargeFreed    = 0x81
	Redirect      = 0x82 // of an aligned address, before which that of the chunk is kept
	RedirectFreed = 0x83 // the same, freed

	// Slab | order and SlabFreed | order: the block is an aligned one of 256 bytes
	// times 2 to the power of order.
	Slab         = 0x90
	SlabFreed    = 0xa0
	MaxSlabOrder = 13 // 2 MiB, since regions begin at multiples of 4 MiB

	// Free memory of an AllocSet that was coalesced, see allocset/span.go. A span
	// holds its own size. One that is too small for that has it here, in words.
	Span         = 0xb0
	SmallSpan    = 0xb0 // plus 1 to 4 words
	UnlistedSpan = 0xb5 // two words that are on no list
	Tail         = 0xb6 // reaches to the end of the block
	Coalesced    = 0xb7 // became a part of the free memory around it

	// Shared | class and SharedFreed | class: of a shard of a context that many
	// goroutines use.
	Shared      = 0xc0
	SharedFreed = 0xe0

	// Own and above are for any kind: no stage of the hot path takes them.
	Own = 0x8000

	// TagLimit is larger than all tag bits. header XOR cookie is below it exactly
	// when the header is valid.
	TagLimit = 1 << versionShift
)

// IsGap reports whether a tag, of any 64 bits, is that of 8 bytes that belong to no chunk,
// which are no more than a header, in an AllocSet or a Generation.
func IsGap(tag uint64) bool { return ^tag == SmallSpan+1 || tag&^GenerationMask == GenerationGap }

// Header returns the word in front of the chunk at p.
func Header(p uintptr) uint64 { return *(*uint64)(osmem.At(p - HeaderSize)) }

// SetHeader sets the word in front of the chunk at p.
func SetHeader(p uintptr, h uint64) { *(*uint64)(osmem.At(p - HeaderSize)) = h }

// Index returns the index of the core in a header or cookie.
func Index(h uint64) uint32 { return uint32(h >> IndexShift) }

// Cookie returns the cookie of a core: its index and the low 22 bits of its version,
// where headers have them, and LowByte. A header is a cookie XOR a tag.
func Cookie(index uint32, version uint64) uint64 {
	return uint64(index)<<IndexShift | version&versionMask<<versionShift | LowByte
}

// NextCookie returns the cookie with another version. The step is odd, so that all
// 2^22 versions come before one comes again.
func NextCookie(cookie uint64) uint64 {
	const step = 0x2545f5
	version := (cookie>>versionShift + step) & versionMask
	return cookie&^(versionMask<<versionShift) | version<<versionShift
}
