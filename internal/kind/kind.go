// Package kind is the contract of a kind of context, and the state that all kinds
// share: the node's part for allocation, its blocks, its large chunks.
//
// A kind is a way to allocate memory, in a package of its own below this folder. Package
// kinds is the table of all kinds, package conformance tests every rule of this file,
// and README.md says how to add a kind.
//
// # The hot path, and how a kind stays out of it
//
// Context.Alloc, New and FreePointer inline the first stages of some kinds and call the
// table of methods only when these find nothing. The stages do not ask for the kind;
// they look at words of the node and of the chunk's header:
//
//	stage               looks at                           takes
//	bump.Alloc          NoClasses in the ID, Cur, End      the bytes at Cur
//	allocset.Hot        the free list of the class         the chunk freed last
//	                    Cur, End, and Tag                  the bytes at Cur, behind a header
//	slab.Alloc          slab.ID, ChunkSize                 the chunk freed last
//	allocset.Aligned    NeedsReset, the free list          the chunk freed last, if aligned
//	the table           the ID                             Methods.Alloc
//
//	allocset.Push       a tag below chunk.Classes          onto the free list of the class
//	generation.Free     chunk.Generation in the tag        counts in the block
//	slab.Free           chunk.Slab in the tag              the local free list
//	the table           the node's ID                      Methods.Free
//
// So every call reaches the methods of a kind that keeps three rules, whenever none of
// its methods is running: Cur equals End; the free lists by class are empty; and no
// header that the context's users see has a tag of these stages. Tags of chunk.Own and
// above are free for every kind, since the node tells whose they are. A shared context
// (package shared) keeps the rules since all its memory belongs to other nodes, its
// shards. A kind that puts something in front of an AllocSet in the same node allocates
// by allocset.Cold, which leaves nothing where a stage looks.
package kind

import "github.com/gopalloc/palloc/internal/chunk"

// ID is the number of a kind. It is kept in the highest bits of a node's epoch, so that
// one compare tells both that a handle is valid and what it leads to. What the paths
// that do not look into the table of kinds must know are bits of the ID; the other five
// bits tell kinds apart. Each kind's package has its own, and the table does not compile
// when two are the same.
type ID uint64

// The bits of an ID.
const (
	// NoClasses: the kind has no size classes, and so Bump's stage of the hot path. It
	// is the sign of the epoch, for which the processor has the cheapest test.
	NoClasses ID = 1 << 7

	// Reopens: a cached node of the kind is opened when it serves again. Without it the
	// node serves as Reset left it.
	Reopens ID = 1 << 6

	// Concurrent: any number of goroutines use a context at once; it has no owner.
	Concurrent ID = 1 << 5
)

// None is the ID in the epoch of a node that no context owns.
const None ID = 0

// Kinds is how many IDs there are. The other 56 bits of an epoch count the lives of a
// node: at one life every 50 nanoseconds they last for a century.
const (
	Kinds   = 1 << 8
	idShift = 56
	idMask  = (Kinds - 1) << idShift
)

// KindOf returns the kind in an epoch.
func KindOf(epoch uint64) ID { return ID(epoch >> idShift) }

// NextEpoch returns the epoch after e, for a context of a kind or for None.
func NextEpoch(e uint64, id ID) uint64 { return (e+1)&^idMask | uint64(id)<<idShift }

// IsConcurrent reports whether contexts of the kind have no owner.
func (id ID) IsConcurrent() bool { return id&Concurrent != 0 }

// Methods is PostgreSQL's virtual method table of a kind. Sizes are in bytes; addresses
// are of chunks, behind their header where there is one; a tag is a header XOR the
// node's Cookie, below chunk.TagLimit unless something else is said. No method takes a lock
// but to acquire and to release blocks, and none looks at the tree.
//
// Everything that palloc asks about a kind is here: what a kind forgets does not compile.
type Methods interface {
	// Name returns the kind's name as PostgreSQL's views have it.
	Name() string

	// Traits returns what the kind can do. It is always the same.
	Traits() Traits

	// Open readies a node that was just given to a context. It owns no block, or one
	// block that it keeps from a former life, on Blocks.
	Open(c *Core)

	// Alloc returns a chunk of size uninitialized bytes, on a multiple of 8. A size of 0
	// is valid and returns a distinct address. The error is a Misuse, or wraps
	// osmem.ErrNoMemory; the node is then as it was, but for leftovers made into free
	// chunks.
	Alloc(c *Core, size uintptr) (uintptr, error)

	// AllocAligned is Alloc on a multiple of align, a power of two above chunk.Align.
	// The error is a Misuse where the kind cannot. Most kinds call the function
	// AllocAligned.
	AllocAligned(c *Core, size, align uintptr) (uintptr, error)

	// Free frees the chunk at p, whose header has the tag. The error is a Misuse, and
	// then nothing changed.
	Free(c *Core, p uintptr, tag uint64) error

	// Realloc resizes the chunk at p to size bytes and returns its new address; the
	// content up to the smaller size is kept. On an error the old chunk lives on.
	Realloc(c *Core, p uintptr, tag uint64, size uintptr) (uintptr, error)

	// Extend lengthens an array of old bytes at p to size bytes, a multiple of 8, where
	// it is, and reports whether it could. It is asked of kinds without headers, whose
	// chunks have no Realloc; others return false.
	Extend(c *Core, p, old, size uintptr) bool

	// Capacity returns how many bytes of the chunk at p may be used, 0 where the tag is
	// not a live chunk's.
	Capacity(c *Core, p uintptr, tag uint64) uintptr

	// SizeOf returns the size of a chunk, live or freed, of a block that chunks share, by
	// its tag alone, so that the next header is found behind it; 0 where no such chunk
	// of the kind has the tag.
	SizeOf(c *Core, tag uint64) uintptr

	// Freed reports whether the tag is one that freed memory of the kind has, so that a
	// second free is told from a wrong address. It may be of any 64 bits. LargeFreed and
	// Redirected need not be named.
	Freed(tag uint64) bool

	// Reset frees every chunk and releases the blocks, but for one of at most MaxKeeper
	// bytes. The Cookie changes, which invalidates every header written before.
	Reset(c *Core)

	// Compact makes freed memory fit for any request, as far as the kind can, and
	// releases the blocks that hold no chunk. It returns how many bytes those had.
	Compact(c *Core) uintptr

	// Stats reads the accounts; chunks asks for Stats.Chunks, too, for which some kinds
	// walk through their blocks. It may be called while the owner is at work; the
	// figures are then of slightly different moments.
	Stats(c *Core, chunks bool) Stats

	// Check looks at the node, at each block and at each chunk for what contradicts
	// something else, and reports it. Whatever it finds, it follows no address outside
	// of our memory, ends, and changes nothing. The owner must not be at work.
	Check(c *Core, report func(Flaw))

	// Layout reports what lies in each block of the node, the current block first. It reads
	// what Check reads, and changes nothing. The owner must not be at work. Most kinds call
	// the function LayOut.
	Layout(c *Core, report func(BlockLayout))
}

// Traits is what a kind can do. The conformance suite holds a kind to each.
type Traits struct {
	ShownAs      ID      // the kind that programs are told of: a kind's own, or that which it stands in front of
	Headers      bool    // each chunk has a header, which leads to its context
	Frees        bool    // Free takes single chunks
	OneSize      bool    // a context has chunks of one size, its Fixed
	Cached       bool    // deleted contexts may be cached; a kind that says no keeps NeedsReset at other than 0
	Joins        bool    // Compact joins freed chunks, which then serve any size
	CountsChunks bool    // Stats has Chunks
	CountsEmpty  bool    // Stats has EmptyBlocks
	Head         uintptr // bytes of a block that chunks share before the first header, or the first chunk
}

// Stats is the accounts of one context, in bytes and in numbers.
type Stats struct {
	Total       uintptr // of all blocks
	Blocks      uint32
	Free        uintptr // not allocated: tails of blocks and freed chunks, headers included
	FreeChunks  uint32
	Chunks      uint32 // live chunks, and freed ones whose block is not empty: with CountsChunks, and when asked for
	EmptyBlocks uint32 // blocks without a live chunk that wait for one: with CountsEmpty
	Live        bool   // some chunk is allocated and not freed
}

// Used returns PostgreSQL's figure of that name: whatever is not free.
func (s Stats) Used() uintptr { return s.Total - min(s.Free, s.Total) }

// MaxChunk is the largest size of one chunk, in bytes: half the address space,
// as PostgreSQL's MaxAllocHugeSize, less what headers and rounding may add.
const MaxChunk = ^uintptr(0)>>1 - 1<<20

// largeHead is what stands before the chunk in a block of its own, in bytes.
const largeHead = BlockHeader + chunk.HeaderSize
