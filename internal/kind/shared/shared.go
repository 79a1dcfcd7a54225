// Package shared is an AllocSet that many goroutines use at once.
//
// It holds: parts, each an AllocSet under a lock of its own, some more than the program
// runs goroutines at one time. A chunk goes back to the part that it came from, which
// lends what it holds before another one buys a block.
//
// Cannot: be reset, deleted or checked while others are at work in it.
//
// Choose it where goroutines hand chunks to each other, or would else need a context
// each for a few chunks.
//
// Invariant: only who holds a part's lock touches the part, its blocks and their free
// chunks; statistics read single words. Headers of a part's chunks are marked, so that
// the hot path of Free, which takes no lock, leaves them alone.
//
// Cost: a call and an uncontended lock for each chunk that is sold and freed. A
// goroutine comes back to the same part, and goes to the next one when that is taken.
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

// Most is how many parts a context has at most.
const Most = 16

// private is what the context keeps in its core.
type private struct {
	sync.Mutex // of the accounts: kind's
	n          uint32
	parts      [Most]uint32 // numbers of cores
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// Wanted is how many parts a context is to have: some more than goroutines run at one
// time, so that two of them seldom have the same.
func Wanted() int { return min(4*runtime.GOMAXPROCS(0), Most) }

// Hire makes a core that nobody owns a part of the context, before Open.
func Hire(c, part *kind.Core) {
	o := own(c)
	relaxed.Store32(&o.parts[o.n], part.Number())
	relaxed.Store32(&o.n, o.n+1)
	c.Hire(part, PartID)
}

// Dismiss lets the parts of a deleted context go, one by one: they hold nothing.
func Dismiss(c *kind.Core, each func(part *kind.Core)) {
	for p := range parts(c) {
		p.Dismiss()
		each(&p.Core)
	}
	relaxed.Clear(kind.Private[[relaxed.Words]uint64](c))
}

// parts are those of the context.
func parts(c *kind.Core) func(yield func(*kind.Hired) bool) {
	return func(yield func(*kind.Hired) bool) {
		o := own(c)
		for _, number := range o.parts[:o.n] {
			if !yield(part(number)) {
				return
			}
		}
	}
}

func part(number uint32) *kind.Hired { return kind.Slot[kind.Hired](kind.At(number)) }

// ID is the kind's.
const ID = kind.NoClasses | kind.Concurrent | 6

func (Methods) Name() string { return "AllocSet" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: allocset.ID, Headers: true, Frees: true, Joins: true, Head: kind.BlockHeader}
}

func (Methods) Open(c *kind.Core) {
	c.DropKeeper()
	c.Close()
	c.Busy = 1
	for p := range parts(c) {
		p.SizesOf(c)
		mark(p)
	}
}

// mark makes the headers of the part's chunks different from an AllocSet's.
func mark(p *kind.Hired) { p.Tag = p.Stamp | chunk.Shared }

// Alloc allocates in a part that nobody is at, the goroutine's own first. Before that buys
// a block it looks for what was freed in others; where it can buy none, thoroughly.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	p := take(c)
	q := allocset.Spare(&p.Core, size)
	p.Unlock()
	if q != 0 {
		return q, nil
	}
	if q = spareElsewhere(c, p, size); q != 0 {
		return q, nil
	}
	p.Lock()
	q, err := set.Alloc(&p.Core, size)
	p.Unlock()
	if err != nil {
		return sellAnywhere(c, func(p *kind.Core) (uintptr, error) { return set.Alloc(p, size) }, err)
	}
	return q, nil
}

// spareElsewhere allocates from what another part holds that nobody is at: a goroutine
// that went from one to the next leaves behind what it freed. It returns 0 when there is
// nothing.
func spareElsewhere(c *kind.Core, but *kind.Hired, size uintptr) (q uintptr) {
	for p := range parts(c) {
		if p != but && q == 0 && p.TryLock() {
			q = allocset.Spare(&p.Core, size)
			p.Unlock()
		}
	}
	return q
}

// AllocAligned tries the parts until one can.
func (Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	p := take(c)
	q, err := set.AllocAligned(&p.Core, size, align)
	p.Unlock()
	if err != nil {
		return sellAnywhere(c, func(p *kind.Core) (uintptr, error) { return set.AllocAligned(p, size, align) }, err)
	}
	return q, nil
}

// sellAnywhere is apart from Alloc because memory seldom runs out.
func sellAnywhere(c *kind.Core, sell func(part *kind.Core) (uintptr, error), first error) (uintptr, error) {
	for p := range parts(c) {
		if q, err := patiently(p, func() (uintptr, error) { return sell(&p.Core) }); err == nil {
			return q, nil
		}
	}
	return 0, first
}

// patiently tries with the part's lock until it does, or all that was freed in the part
// was looked at: each time at a bounded part of that, so that others get the lock.
func patiently(p *kind.Hired, try func() (uintptr, error)) (q uintptr, err error) {
	for n := looks(p); ; n-- {
		p.Lock()
		q, err = try()
		more := allocset.Unjoined(&p.Core)
		p.Unlock()
		if _, misuse := err.(kind.Misuse); err == nil || misuse || !more || n == 0 {
			return q, err
		}
		runtime.Gosched() // else the lock is taken again before others are awake
	}
}

// looks bounds how often a part is looked at, in which others go on freeing.
func looks(p *kind.Hired) int { return int(relaxed.Load(&p.Total) >> 13) }

// take locks a part.
func take(c *kind.Core) *kind.Hired {
	o, first := own(c), spot()
	for i := range o.n {
		if p := part(o.parts[(first+i)%o.n]); p.TryLock() {
			return p
		}
	}
	p := part(o.parts[first%o.n])
	p.Lock()
	return p
}

func (Methods) Free(c *kind.Core, p uintptr, what uint64) error {
	return kind.TagFault(Methods{}, what)
}

func (Methods) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return 0, kind.TagFault(Methods{}, what)
}

func (Methods) Capacity(c *kind.Core, p uintptr, what uint64) uintptr { return 0 }

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, what uint64) uintptr { return 0 }

func (Methods) Freed(what uint64) bool { return false }

func (Methods) Reset(c *kind.Core) {
	c.Restamp() // for who asks whether there was a reset: no chunk has this stamp
	for p := range parts(c) {
		p.Lock()
		set.Reset(&p.Core)
		mark(p)
		p.Unlock()
	}
}

// Close takes all chunks back and sells all blocks, keepers included.
func Close(c *kind.Core) {
	for p := range parts(c) {
		p.Lock()
		set.Reset(&p.Core)
		mark(p)
		p.DropKeeper()
		p.Unlock()
	}
}

// Compact compacts the parts, one after the other and each step by step, so that nobody
// waits for long who is at work in one.
func (Methods) Compact(c *kind.Core) (gave uintptr) {
	for p := range parts(c) {
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

// Stats sums up the parts, those that still are: the context may be ending.
func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	o := own(c)
	for i := range min(relaxed.Load32(&o.n), Most) {
		p := c.PartOf(relaxed.Load32(&o.parts[i]), PartID)
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
