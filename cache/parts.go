package cache

import (
	"hash/maphash"

	"github.com/gopalloc/palloc"
)

// Parts: caches for many goroutines at a time.
//
// Invariant: a key belongs to one part, always the same.
//
// Cost: one more hash for each call. Each part has three contexts, and a block of each at least.

// Parts are Caches, each for a part of the keys, so that goroutines seldom wait for each other. Make them
// with NewParts.
//
//	pages := cache.NewParts(tenant, "pages", 64<<20, 16)
//	pages.Of(url).Put(url, body)
//	body, found := pages.Of(url).Get(nil, url)
//
// Each part has an equal share of the limit, and evicts within it. Any goroutine may call the methods.
type Parts struct {
	all  palloc.Context
	seed maphash.Seed
	part []*Cache
}

// NewParts returns n empty Caches below a context of their own, which is below parent, with a limit in
// bytes for all of them. A key and value above a quarter of a part's share are not kept. The limit is also
// palloc.NoLimit, for a parent with a limit. It panics with a *palloc.Fault when the parent was deleted or
// n is less than 1. Any goroutine.
func NewParts(parent palloc.Context, name string, limit int64, n int) *Parts {
	if n < 1 {
		parent.Lifetime().Misuse("cache.NewParts", "there must be at least one part")
	}
	p := &Parts{all: palloc.NewAllocSet(parent, name), seed: maphash.MakeSeed(), part: make([]*Cache, n)}
	p.all.SetLimit(limit)
	share := limit
	if limit != palloc.NoLimit {
		share = limit / int64(n)
	}
	for i := range p.part {
		p.part[i] = New(p.all, "part", share)
	}
	return p
}

// Of returns the Cache of a key.
func (p *Parts) Of(key string) *Cache {
	return p.part[maphash.String(p.seed, key)%uint64(len(p.part))]
}

// OfBytes works as Of does, for a key in bytes.
func (p *Parts) OfBytes(key []byte) *Cache { return p.Of(asString(key)) }

// Context returns the context above those of all parts: its TreeHeld is what they hold, and its Delete ends
// them.
func (p *Parts) Context() palloc.Context { return p.all }

// Len returns the number of entries of all parts, one part after the other.
func (p *Parts) Len() (n int) {
	for _, c := range p.part {
		n += c.Len()
	}
	return n
}

// Counts returns what all parts did since NewParts, one part after the other.
func (p *Parts) Counts() (sum Counts) {
	for _, c := range p.part {
		of := c.Counts()
		sum.Hits += of.Hits
		sum.Misses += of.Misses
		sum.Evicted += of.Evicted
		sum.Expired += of.Expired
		sum.Refused += of.Refused
	}
	return sum
}
