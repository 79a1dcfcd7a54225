// Package shared is an AllocSet that many goroutines use at once.
//
// It holds: shards, each an AllocSet under a lock of its own, some more than the program
// runs goroutines at one time. A chunk goes back to the shard that it came from. Before
// a shard acquires a block, what others hold is used.
//
// Cannot: be reset, deleted or checked while others are at work in it.
//
// Choose it where goroutines hand chunks to each other, or would otherwise need a
// context each for a few chunks.
//
// Invariant: only the goroutine that holds a shard's lock touches the shard, its blocks
// and their free chunks; statistics read single words. Headers of a shard's chunks are
// marked, so that the hot path of Free, which takes no lock, leaves them alone.
//
// Cost: a call and an uncontended lock for each chunk that is allocated and freed. A
// goroutine comes back to the same shard, and goes to the next one when that is taken.
//
// PostgreSQL has none: a context belongs to a process.
package shared

import (
	"runtime"
	"sync"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// MaxShards is how many shards a context has at most.
const MaxShards = 16

// private is the context's own part of its node.
type private struct {
	sync.Mutex // of the accounts, for package kind
	n          uint32
	shards     [MaxShards]uint32 // numbers of nodes
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// WantedShards returns how many shards a context gets: some more than goroutines run at
// one time, so that two of them seldom have the same.
func WantedShards() int { return min(4*runtime.GOMAXPROCS(0), MaxShards) }

// Attach makes a node that no context owns a shard of the context, before Open.
func Attach(c, shard *kind.Core) {
	o := own(c)
	relaxed.Store32(&o.shards[o.n], shard.Number())
	relaxed.Store32(&o.n, o.n+1)
	c.Attach(shard, ShardID)
}

// Detach makes the shards of a deleted context, which hold nothing, nodes that no
// context owns, and passes each to each.
func Detach(c *kind.Core, each func(shard *kind.Core)) {
	for p := range shards(c) {
		p.Detach()
		each(&p.Core)
	}
	relaxed.Clear(kind.Private[[relaxed.Words]uint64](c))
}

// shards returns those of the context.
func shards(c *kind.Core) func(yield func(*kind.Shard) bool) {
	return func(yield func(*kind.Shard) bool) {
		o := own(c)
		for _, number := range o.shards[:o.n] {
			if !yield(shardAt(number)) {
				return
			}
		}
	}
}

func shardAt(number uint32) *kind.Shard { return kind.Slot[kind.Shard](kind.At(number)) }

// ID is the kind's.
const ID = kind.NoClasses | kind.Concurrent | 6

func (Methods) Name() string { return "AllocSet" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: allocset.ID, Headers: true, Frees: true, Joins: true, Head: kind.BlockHeader}
}

func (Methods) Open(c *kind.Core) {
	c.DropKeeper()
	c.CloseCurrent()
	c.NeedsReset = 1
	for p := range shards(c) {
		p.SetSizes(c.FirstBlock, c.MaxBlock)
		mark(p)
	}
}

// mark makes the headers of the shard's chunks different from an AllocSet's.
func mark(p *kind.Shard) { p.Prefix = p.Cookie ^ chunk.Shared }

// Alloc allocates in a shard that no other goroutine uses, the caller's own first.
// Before it acquires a block it looks for free memory in other shards; when a block is
// refused, thoroughly.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return alloc(c, size, chunk.Align)
}

// AllocAligned does as Alloc does.
func (Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return alloc(c, size, align)
}

func alloc(c *kind.Core, size, align uintptr) (uintptr, error) {
	p := lockAny(c)
	q := allocset.Spare(&p.Core, size, align)
	p.Unlock()
	if q != 0 {
		return q, nil
	}
	if q = spareElsewhere(c, p, size, align); q != 0 {
		return q, nil
	}
	p.Lock()
	return allocAnywhere(c, p, func(p *kind.Core) (uintptr, error) { return set.AllocAligned(p, size, align) })
}

// spareElsewhere allocates from what another shard holds that no other goroutine uses: a
// goroutine that went from one to the next leaves behind what it freed. It returns 0
// when there is nothing.
func spareElsewhere(c *kind.Core, but *kind.Shard, size, align uintptr) (q uintptr) {
	for p := range shards(c) {
		if p != but && q == 0 && p.TryLock() {
			q = allocset.Spare(&p.Core, size, align)
			p.Unlock()
		}
	}
	return q
}

// allocAnywhere allocates in a shard, which is locked, or else in the first one that can. It
// unlocks the shard.
func allocAnywhere(c *kind.Core, locked *kind.Shard, alloc func(shard *kind.Core) (uintptr, error)) (uintptr, error) {
	q, first := alloc(&locked.Core)
	locked.Unlock()
	if first == nil {
		return q, nil
	}
	for p := range shards(c) {
		if q, err := patiently(p, func() (uintptr, error) { return alloc(&p.Core) }); err == nil {
			return q, nil
		}
	}
	return 0, first
}

// patiently calls try under the shard's lock until it succeeds, or all that was freed in
// the shard was looked at: each time at a bounded part of that, so that others get the
// lock.
func patiently(p *kind.Shard, try func() (uintptr, error)) (q uintptr, err error) {
	for n := looks(p); ; n-- {
		p.Lock()
		q, err = try()
		more := allocset.Unjoined(&p.Core)
		p.Unlock()
		if _, misuse := err.(kind.Misuse); err == nil || misuse || !more || n == 0 {
			return q, err
		}
		runtime.Gosched() // otherwise the lock is taken again before others are awake
	}
}

// looks bounds how often a shard is looked at, since others go on freeing.
func looks(p *kind.Shard) int { return int(relaxed.Load(&p.Total) >> 13) }

// lockAny locks a shard and returns it.
func lockAny(c *kind.Core) *kind.Shard {
	o, first := own(c), spot()
	for i := range o.n {
		if p := shardAt(o.shards[(first+i)%o.n]); p.TryLock() {
			return p
		}
	}
	p := shardAt(o.shards[first%o.n])
	p.Lock()
	return p
}

func (Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	return kind.TagFault(Methods{}, tag)
}

func (Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	return 0, kind.TagFault(Methods{}, tag)
}

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr { return 0 }

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr { return 0 }

func (Methods) Freed(tag uint64) bool { return false }

func (Methods) Reset(c *kind.Core) {
	c.RenewCookie() // tells others that there was a reset: no chunk has this cookie
	for p := range shards(c) {
		p.Lock()
		set.Reset(&p.Core)
		mark(p)
		p.Unlock()
	}
}

// Close frees all chunks and releases all blocks, keepers included.
func Close(c *kind.Core) {
	for p := range shards(c) {
		p.Lock()
		set.Reset(&p.Core)
		mark(p)
		p.DropKeeper()
		p.Unlock()
	}
}

// Compact compacts the shards, one after the other and each step by step, so that no
// goroutine waits long for one.
func (Methods) Compact(c *kind.Core) (gave uintptr) {
	for p := range shards(c) {
		for n, left := looks(p), true; left && n >= 0; n-- {
			var some uintptr
			p.Lock()
			some, left = allocset.CompactStep(&p.Core)
			p.Unlock()
			gave += some
			runtime.Gosched() // see patiently
		}
	}
	return gave
}

// Stats sums up the shards that still exist: the context may be ending.
func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	o := own(c)
	for i := range min(relaxed.Load32(&o.n), MaxShards) {
		p := c.ShardOf(relaxed.Load32(&o.shards[i]), ShardID)
		if p == nil {
			continue
		}
		of := set.Stats(&p.Core, chunks)
		s.Free += of.Free
		s.FreeChunks += of.FreeChunks
		s.Live = s.Live || of.Live
	}
	return s
}
