// Package kind is the contract that every kind of context keeps, and the state
// that all of them share: the core's retail part, its blocks, its large chunks.
//
// A kind is a way to sell memory. Four keep the contract: AllocSet, Slab,
// Generation and Bump, each in a room below this one. Package conformance holds
// every rule written here as a test.
package kind

import "github.com/gopalloc/palloc/internal/chunk"

// ID names a kind. It is kept in the highest bits of a core's epoch, so that one
// compare tells both that a handle is valid and what it leads to.
type ID uint64

// The kinds. The highest bit, for which the processor has the cheapest question,
// says that a kind has no size classes.
const (
	None       ID = 0 // a core that no context owns
	AllocSet   ID = 1
	Generation ID = 2
	SharedPart ID = 3 // a part of a Shared
	Bump       ID = 4
	Slab       ID = 5
	Shared     ID = 6 // an AllocSet that many goroutines use

	Kinds   = 8 // of values that an epoch has room for
	idShift = 61
	idMask  = (Kinds - 1) << idShift
)

// KindOf is the kind in an epoch.
func KindOf(epoch uint64) ID { return ID(epoch >> idShift) }

// NextEpoch is the epoch after e, for a context of a kind or for none.
func NextEpoch(e uint64, id ID) uint64 { return e&^idMask + 1 | uint64(id)<<idShift }

// Methods is PostgreSQL's virtual method table of a kind. Sizes are in bytes;
// addresses are of chunks, behind their header where there is one. No method
// takes a lock except to buy and to sell blocks, and none looks at the tree.
type Methods interface {
	// Name is the kind's name as PostgreSQL's views have it.
	Name() string

	// Open readies a core that was just given to a context. It owns no block,
	// or one block that it keeps from a former life, on Blocks.
	Open(c *Core)

	// Alloc sells a chunk of size bytes, on a multiple of 8, its content
	// undefined. A size of 0 is legal and gives an address of its own. The
	// error is a Misuse, or wraps osmem.ErrNoMemory; the core is then as it
	// was, but for leftovers made into free chunks.
	Alloc(c *Core, size uintptr) (uintptr, error)

	// Free takes the chunk at p back. what is the low part of its header,
	// which was found genuine. The error is a Misuse, and nothing changed.
	Free(c *Core, p uintptr, what uint64) error

	// Realloc makes the chunk at p size bytes large and answers its new place;
	// the content up to the smaller size is kept. On an error the old chunk
	// lives on.
	Realloc(c *Core, p uintptr, what uint64, size uintptr) (uintptr, error)

	// Capacity is how many bytes of the chunk at p may be used, or 0 where
	// what is not a live chunk's.
	Capacity(c *Core, p uintptr, what uint64) uintptr

	// Reset takes every chunk back and sells the blocks, but for one of at most
	// KeeperMost bytes. The stamp changes: no header sold before is genuine
	// any more.
	Reset(c *Core)

	// Compact makes all that was freed fit for any request, as far as the kind can,
	// and gives the blocks back that hold no chunk. It answers how many bytes those
	// had.
	Compact(c *Core) uintptr

	// Stats reads the accounts. It may be called while the owner is at work;
	// the figures are then of slightly different moments.
	Stats(c *Core) Stats

	// Check looks at the core, at each block and at each chunk for what contradicts
	// something else, and reports it. Whatever it finds, it follows no address
	// that is none of ours, ends, and changes nothing. The owner must be at rest.
	Check(c *Core, report func(Flaw))
}

// Stats are the accounts of one context, in bytes and in numbers.
type Stats struct {
	Total      uintptr // of all blocks
	Blocks     uint32
	Free       uintptr // unsold: tails of blocks and freed chunks, headers included
	FreeChunks uint32
	Empties    uint32 // Slab: blocks without a live chunk that wait for one
	Live       bool   // some chunk is sold and not freed
}

// Used is PostgreSQL's figure of that name: whatever is not free.
func (s Stats) Used() uintptr { return s.Total - min(s.Free, s.Total) }

// KeeperMost is the largest block, in bytes, that a context keeps over a reset,
// and a core over a deletion. It is PostgreSQL's default first block.
const KeeperMost = 8 << 10

// MostChunk is the largest size of one chunk, in bytes: half the address space,
// as PostgreSQL's MaxAllocHugeSize, less what headers and rounding may add.
const MostChunk = ^uintptr(0)>>1 - 1<<20

// headroom is what stands before the chunk in a block of its own.
const headroom = BlockHeader + chunk.HeaderSize
