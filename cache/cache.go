// Package cache has a cache of bytes under a limit, all in palloc contexts.
//
//	pages := cache.New(tenant, "pages", 64<<20)
//	pages.Put(url, body)
//	body, found := pages.Get(nil, url)
//
// It holds as much as the limit allows, and evicts when memory is needed: for its own entries, or for
// another context below a limit above it. What is evicted is chosen by SIEVE, which keeps what was
// used again at about the hit ratio of the best policies, and moves nothing on a hit.
//
// A value may have a deadline (PutUntil), and can be read without a copy (View) and changed in one step
// (Update). NewParts makes a Cache for many goroutines at a time.
package cache

import (
	"hash/maphash"
	"math/bits"

	"github.com/gopalloc/palloc"
)

// The cache: its values. Functions of the caller are in access.go, deadlines in expire.go, and what is evicted,
// and when, in evict.go.
//
// Invariant: a key belongs to one part, always the same, by its hash, of which the part's index makes another.
//
// Cost: a hit is a hash, a lock, a search in a hash map, and a copy; a look at the clock where the entry has a
// deadline. An entry takes its key and value, 64 bytes beside them, its deadline included, and its share of the
// map: 17 bytes and free slots. A part has two contexts, and a block of each at least.

// A Cache has values by keys. Make one with New, or with NewParts. The contexts of a Cache are its own; to
// delete their parent ends it, and every use but Counts is then a *palloc.Fault. It is a small Go value.
//
// Any goroutine may call its methods: one lock guards a Cache of New. Where goroutines wait for it, use
// NewParts.
type Cache struct {
	all   palloc.Context
	seed  maphash.Seed
	parts []part
}

// Counts are what a Cache did since it was made.
type Counts struct {
	Hits, Misses int64 // of Get and View
	Evicted      int64 // entries, before their deadlines
	Expired      int64 // entries that were met after their deadlines
	Refused      int64 // values that were not kept
}

// New returns an empty Cache in contexts of its own below parent, with a limit in bytes of what they
// hold: keys, values and all that belongs to them. The limit is also palloc.NoLimit, for a parent with a
// limit. It panics with a *palloc.Fault when the parent was deleted. Any goroutine.
func New(parent palloc.Context, name string, limit int64) *Cache {
	c := &Cache{all: palloc.NewAllocSet(parent, name), seed: maphash.MakeSeed(), parts: make([]part, 1)}
	c.parts[0].init(c.all, limit)
	return c
}

// NewParts works as New does, and returns a Cache in n parts, each for a part of the keys and with a lock
// of its own, so that goroutines seldom wait for each other.
//
//	pages := cache.NewParts(tenant, "pages", 64<<20, 16)
//
// Each part has an equal share of the limit, and evicts within it: a key and value above a quarter of the
// share are not kept. It is also a *palloc.Fault when n is less than 1. Any goroutine.
func NewParts(parent palloc.Context, name string, limit int64, n int) *Cache {
	if n < 1 {
		parent.Lifetime().Misuse("cache.NewParts", "there must be at least one part")
	}
	c := &Cache{all: palloc.NewAllocSet(parent, name), seed: maphash.MakeSeed(), parts: make([]part, n)}
	c.all.SetLimit(limit)
	share := limit
	if limit != palloc.NoLimit {
		share = limit / int64(n)
	}
	for i := range c.parts {
		c.parts[i].init(palloc.NewAllocSet(c.all, "part"), share)
	}
	return c
}

// lock locks the part of a key for a method, whose name op is, and returns the key's hash.
func (c *Cache) lock(op, key string) (p *part, hash uint64) {
	hash = maphash.String(c.seed, key)
	number, _ := bits.Mul64(hash, uint64(len(c.parts)))
	p = &c.parts[number]
	if !p.mu.TryLock() { // p.lock, without the call
		p.wait(op)
	}
	return p, hash
}

// Context returns the context above those of the Cache: its TreeHeld is what the Cache holds, its
// SetLimit changes the limit, but not the shares of parts, and its Delete ends the Cache.
func (c *Cache) Context() palloc.Context { return c.all }

// Len returns the number of entries, also of those past their deadlines that were not met since. It looks
// at one part after the other.
func (c *Cache) Len() (n int) {
	for i := range c.parts {
		p := &c.parts[i]
		p.lock("cache.Cache.Len")
		n += p.len()
	}
	return n
}

// len is Len, and unlocks the part.
func (p *part) len() int {
	defer p.mu.Unlock()
	p.index.Len() // a Fault after the end
	return p.n
}

// Counts returns what the Cache did since it was made. It looks at one part after the other.
func (c *Cache) Counts() (sum Counts) {
	for i := range c.parts {
		p := &c.parts[i]
		p.lock("cache.Cache.Counts")
		sum.Hits += p.counts.Hits
		sum.Misses += p.counts.Misses
		sum.Evicted += p.counts.Evicted
		sum.Expired += p.counts.Expired
		sum.Refused += p.counts.Refused
		p.mu.Unlock()
	}
	return sum
}

// Get appends the value of a key to dst, and reports whether the key has one.
func (c *Cache) Get(dst []byte, key string) (value []byte, found bool) {
	p, hash := c.lock("cache.Cache.Get", key)
	defer p.mu.Unlock()
	e := p.use(hash, key)
	if e == nil {
		return dst, false
	}
	return append(dst, e.value()...), true
}

// GetBytes works as Get does, for a key in bytes.
func (c *Cache) GetBytes(dst, key []byte) (value []byte, found bool) {
	return c.Get(dst, asString(key))
}

// Put copies a key and its value into the Cache, in place of the value that the key had, and reports
// whether it is there. It has no deadline. Put evicts what it needs the memory of. A key and value above
// a quarter of the limit are not kept, nor is one for which there is no memory when nothing is left to
// evict; the key then has no value.
func (c *Cache) Put(key string, value []byte) bool {
	p, hash := c.lock("cache.Cache.Put", key)
	defer p.mu.Unlock()
	return p.put(hash, key, value, 0)
}

// PutBytes works as Put does, for a key in bytes.
func (c *Cache) PutBytes(key, value []byte) bool { return c.Put(asString(key), value) }

// Delete removes a key and its value, and reports whether they were there.
func (c *Cache) Delete(key string) bool {
	p, hash := c.lock("cache.Cache.Delete", key)
	defer p.mu.Unlock()
	return p.delete(hash, key)
}

// DeleteBytes works as Delete does, for a key in bytes.
func (c *Cache) DeleteBytes(key []byte) bool { return c.Delete(asString(key)) }
