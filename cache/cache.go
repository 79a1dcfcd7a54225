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
// (Update). Parts are caches for many goroutines at a time.
package cache

import (
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
)

// The cache: its values. Functions of the caller are in access.go, deadlines in expire.go, and what is evicted,
// and when, in evict.go.
//
// Invariant: every entry is in the queue and in the chain of its hash, except one that is being
// inserted, which is in neither.
//
// Cost: a hit is a lock, a search in a hash map, a store and a copy; a look at the clock where the entry has a
// deadline. An entry takes its key and value, 96 bytes beside them, its deadline included, and its share of the
// map: 17 bytes and free slots.

// A Cache has values by keys. Make one with New. The contexts of a Cache are its own; to delete
// their parent ends it, and every use but Counts is then a *palloc.Fault. It is a small Go value.
//
// Any goroutine may call its methods: one lock guards a Cache. Where goroutines wait for it, use Parts.
type Cache struct {
	all, values, table palloc.Context
	index              *hashmap.Map[uint64, chain]
	seed               maphash.Seed
	most               int64 // bytes of a key and its value

	mu sync.Mutex // guards what follows, and the contexts
	queue
	pinned  *entry // which is not evicted, if not nil: one that is being changed
	growing bool   // the index is being changed
	n       int
	counts  Counts
	now     func() time.Time
	item    Item // what Update's function has

	inside atomic.Bool // the lock's holder runs a function of the caller

	mostEntries, inserts int // the most entries that the index has room for, and insertions since it rose
}

// Counts are what a Cache did since New.
type Counts struct {
	Hits, Misses int64 // of Get and View
	Evicted      int64 // entries, before their deadlines
	Expired      int64 // entries that were met after their deadlines
	Refused      int64 // values that were not kept
}

// A chain is the entries of one hash, which are seldom more than one.
type chain struct {
	palloc.NoHeapPointers
	first *entry
}

// An entry is a key and its value, in one chunk.
type entry struct {
	palloc.NoHeapPointers
	newer, older *entry // in the queue
	same         *entry // in the chain
	hash         uint64
	data         []byte // the key, then the value
	key          uint32 // bytes of the key
	used         bool   // since it was inserted, or the hand passed
	deadline     int64  // see nanoseconds
}

// value returns the value, to which nothing can be appended in place.
func (e *entry) value() []byte { return e.data[e.key:len(e.data):len(e.data)] }

// New returns an empty Cache in contexts of its own below parent, with a limit in bytes of what they
// hold: keys, values and all that belongs to them. A limit is also palloc.NoLimit, for a parent with a
// limit. It panics with a *palloc.Fault when the parent was deleted. Any goroutine.
func New(parent palloc.Context, name string, limit int64) *Cache {
	c := &Cache{all: palloc.NewAllocSet(parent, name), seed: maphash.MakeSeed(), most: limit / 4, now: time.Now, mostEntries: math.MaxInt / 2}
	c.all.SetLimit(limit)
	c.values = palloc.NewAllocSet(c.all, "values")
	c.table = palloc.NewAllocSet(c.all, "index")
	c.index = hashmap.New[uint64, chain](c.table, 0)
	c.all.OnPressure(c.evict)
	return c
}

// Context returns the context above those of the Cache: its TreeHeld is what the Cache holds, its
// SetLimit changes the limit, and its Delete ends the Cache.
func (c *Cache) Context() palloc.Context { return c.all }

// Len returns the number of entries, also of those past their deadlines that were not met since.
func (c *Cache) Len() int {
	c.lock("cache.Cache.Len")
	defer c.mu.Unlock()
	c.index.Len() // a Fault after the end
	return c.n
}

// Counts returns what the Cache did since New.
func (c *Cache) Counts() Counts {
	c.lock("cache.Cache.Counts")
	defer c.mu.Unlock()
	return c.counts
}

// Get appends the value of a key to dst, and reports whether the key has one.
func (c *Cache) Get(dst []byte, key string) (value []byte, found bool) {
	hash := maphash.String(c.seed, key)
	c.lock("cache.Cache.Get")
	defer c.mu.Unlock()
	e := c.use(hash, key)
	if e == nil {
		return dst, false
	}
	return append(dst, e.value()...), true
}

// GetBytes works as Get does, for a key in bytes.
func (c *Cache) GetBytes(dst, key []byte) (value []byte, found bool) {
	return c.Get(dst, asString(key))
}

// use returns the entry of a key for Get and View, nil if there is none.
func (c *Cache) use(hash uint64, key string) *entry {
	e := c.find(hash, key)
	if e == nil {
		c.counts.Misses++
	} else {
		c.counts.Hits++
		e.used = true
	}
	return e
}

// find returns the entry of a key, nil if there is none, and removes one past its deadline.
func (c *Cache) find(hash uint64, key string) *entry {
	s, _ := c.index.Get(hash)
	for e := s.first; e != nil; e = e.same {
		if string(e.data[:e.key]) == key {
			if e.deadline != 0 && e != c.pinned && c.past(e.deadline) {
				c.counts.Expired++
				c.remove(e)
				return nil
			}
			return e
		}
	}
	return nil
}

// Put copies a key and its value into the Cache, in place of the value that the key had, and reports
// whether it is there. It has no deadline. Put evicts what it needs the memory of. A key and value above
// a quarter of the limit are not kept, nor is one for which there is no memory when nothing is left to
// evict; the key then has no value.
func (c *Cache) Put(key string, value []byte) bool {
	hash := maphash.String(c.seed, key)
	c.lock("cache.Cache.Put")
	defer c.mu.Unlock()
	return c.put(hash, key, value, 0)
}

// PutBytes works as Put does, for a key in bytes.
func (c *Cache) PutBytes(key, value []byte) bool { return c.Put(asString(key), value) }

// put is Put, with a deadline. The value may lie in the entry that is pinned.
func (c *Cache) put(hash uint64, key string, value []byte, deadline int64) bool {
	data, err := c.room(len(key), len(value))
	if err != nil {
		c.counts.Refused++
		c.delete(hash, key)
		return false
	}
	copy(data[copy(data, key):], value)
	if e := c.find(hash, key); e != nil { // looked for late: room may evict
		palloc.FreeSlice(e.data)
		e.data, e.deadline, e.used = data, deadline, true
		return true
	}
	if c.insert(hash, data, len(key), deadline) != nil {
		palloc.FreeSlice(data)
		c.counts.Refused++
		return false
	}
	return true
}

// errTooLarge refuses a value for which most of the cache would be evicted.
var errTooLarge = errors.New("cache: a key and its value are more than a quarter of the limit")

// room returns memory for a key and a value.
func (c *Cache) room(key, value int) ([]byte, error) {
	size := key + value
	if int64(size) > c.most || int64(key) > math.MaxUint32 {
		return nil, errTooLarge
	}
	return palloc.TryMakeSlice[byte](c.values, size, max(size, 1))
}

// insert makes an entry of data.
func (c *Cache) insert(hash uint64, data []byte, key int, deadline int64) error {
	e, err := palloc.TryNew[entry](c.values)
	if err != nil {
		return err
	}
	e.hash, e.data, e.key, e.deadline = hash, data, uint32(key), deadline
	s, err := c.slot(hash)
	if err != nil {
		palloc.Free(e)
		return err
	}
	e.same, s.first = s.first, e
	c.push(e)
	c.n++
	return nil
}

// slot returns the chain of a hash. Where the index is refused the memory to grow, the Cache has fewer
// entries from then on, so that the index does without; their number may rise again slowly.
func (c *Cache) slot(hash uint64) (*chain, error) {
	if c.inserts++; c.inserts > c.n {
		c.inserts = 0
		c.mostEntries += c.n / 64
	}
	if c.n >= c.mostEntries && c.n > 0 {
		c.evictOne()
	}
	for {
		c.growing = true
		s, err := c.index.TryEntry(hash)
		c.growing = false
		if err == nil || c.n == 0 {
			return s, err
		}
		for c.mostEntries = c.n - (c.n+31)/32; c.n > c.mostEntries; {
			c.evictOne()
		}
	}
}

// Delete removes a key and its value, and reports whether they were there.
func (c *Cache) Delete(key string) bool {
	hash := maphash.String(c.seed, key)
	c.lock("cache.Cache.Delete")
	defer c.mu.Unlock()
	return c.delete(hash, key)
}

func (c *Cache) delete(hash uint64, key string) bool {
	e := c.find(hash, key)
	if e != nil {
		c.remove(e)
	}
	return e != nil
}

// DeleteBytes works as Delete does, for a key in bytes.
func (c *Cache) DeleteBytes(key []byte) bool { return c.Delete(asString(key)) }

// remove takes an entry out of the queue and of its chain, frees it, and returns how many bytes it took.
func (c *Cache) remove(e *entry) (freed int64) {
	c.unlink(e)
	s := c.index.Ref(e.hash)
	at := &s.first
	for *at != e {
		at = &(*at).same
	}
	if *at = e.same; s.first == nil {
		c.index.Delete(e.hash)
	}
	c.n--
	freed = footprint(e)
	palloc.FreeSlice(e.data)
	palloc.Free(e)
	return freed
}
