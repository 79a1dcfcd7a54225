package cache

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
)

// A part: the entries of some keys, under a lock.
//
// Invariant: every entry is in the queue and in the chain of its hash, except one that is being
// inserted, which is in neither.
//
// Cost: a search is one in a hash map, and a look at one entry. A value of the same length as before is
// written where that is, and takes no memory.

// A part is what a Cache has of the keys of some hashes. The methods are for who has the lock.
type part struct {
	mu     sync.Mutex // guards what follows, and the contexts
	counts Counts
	n      int

	index              hashmap.Map[uint64, chain]
	all, values, table palloc.Context
	most               int64 // bytes of a key and its value
	queue
	pinned  *entry // which is not evicted, if not nil: one that is being changed
	growing bool   // the index is being changed
	now     func() time.Time
	item    Item // what Update's function has

	inside atomic.Bool // the lock's holder runs a function of the caller

	mostEntries, inserts int // the most entries that the index has room for, and insertions since it rose

	_ [64]byte // the lock of the next part is in another line of a processor's cache
}

// A chain is the entries of one hash, which are seldom more than one.
type chain struct {
	palloc.NoHeapPointers
	first *entry
}

// init makes it an empty part in contexts below all, which gets the limit.
func (p *part) init(all palloc.Context, limit int64) {
	p.all, p.most, p.now, p.mostEntries = all, limit/4, time.Now, math.MaxInt/2
	all.SetLimit(limit)
	p.values = palloc.NewAllocSet(all, "values")
	p.table = palloc.NewAllocSet(all, "index")
	p.index.Init(p.table)
	all.OnPressure(p.evict)
}

// lock locks the part for a method, whose name op is.
func (p *part) lock(op string) {
	if !p.mu.TryLock() {
		p.wait(op)
	}
}

// use returns the entry of a key for Get and View, nil if there is none.
func (p *part) use(hash uint64, key string) *entry {
	e := p.find(hash, key)
	if e == nil {
		p.counts.Misses++
		return nil
	}
	p.counts.Hits++
	if !e.used { // else it may stay in the caches of other processors
		e.used = true
	}
	return e
}

// find returns the entry of a key, nil if there is none, and removes one past its deadline.
func (p *part) find(hash uint64, key string) *entry {
	s, _ := p.index.Get(hash)
	for e := s.first; e != nil; e = e.same {
		if e.has(key) {
			if e.deadline != 0 && e != p.pinned && p.past(e.deadline) {
				p.counts.Expired++
				p.remove(e)
				return nil
			}
			return e
		}
	}
	return nil
}

// put is Put, with a deadline. The value may lie in the entry that is pinned.
func (p *part) put(hash uint64, key string, value []byte, deadline int64) bool {
	old := p.find(hash, key)
	if old != nil && old.size == len(value) {
		copy(old.value(), value)
		old.deadline, old.used = deadline, true
		return true
	}
	e, err := p.room(hash, key, value, deadline)
	if err == nil && old != nil {
		old = p.find(hash, key) // room may evict
	}
	switch {
	case err != nil:
		p.delete(hash, key)
	case old != nil:
		p.replace(old, e)
	default:
		err = p.insert(e)
	}
	if err != nil {
		p.counts.Refused++
	}
	return err == nil
}

// errTooLarge refuses a value for which most of the cache would be evicted.
var errTooLarge = errors.New("cache: a key and its value are more than a quarter of the limit")

// room returns a new entry, for which others may be evicted.
func (p *part) room(hash uint64, key string, value []byte, deadline int64) (*entry, error) {
	if int64(len(key)+len(value)) > p.most || int64(len(key)) > math.MaxUint32 {
		return nil, errTooLarge
	}
	return newEntry(p.values, hash, key, value, deadline)
}

// insert puts an entry where it belongs, or frees it.
func (p *part) insert(e *entry) error {
	s, err := p.slot(e.hash)
	if err != nil {
		palloc.Free(e)
		return err
	}
	e.same, s.first = s.first, e
	p.push(e)
	p.n++
	return nil
}

// replace puts an entry in the place of another of the same key, which is freed.
func (p *part) replace(old, e *entry) {
	e.same, e.used = old.same, true
	*p.link(old) = e
	p.swap(old, e)
	palloc.Free(old)
}

// slot returns the chain of a hash. Where the index is refused the memory to grow, the part has fewer
// entries from then on, so that the index does without; their number may rise again slowly.
func (p *part) slot(hash uint64) (*chain, error) {
	if p.inserts++; p.inserts > p.n {
		p.inserts = 0
		p.mostEntries += p.n / 64
	}
	if p.n >= p.mostEntries && p.n > 0 {
		p.evictOne()
	}
	for {
		p.growing = true
		s, err := p.index.TryEntry(hash)
		p.growing = false
		if err == nil || p.n == 0 {
			return s, err
		}
		for p.mostEntries = p.n - (p.n+31)/32; p.n > p.mostEntries; {
			p.evictOne()
		}
	}
}

func (p *part) delete(hash uint64, key string) bool {
	e := p.find(hash, key)
	if e != nil {
		p.remove(e)
	}
	return e != nil
}

// link returns where the chain of an entry points to it.
func (p *part) link(e *entry) **entry {
	at := &p.index.Ref(e.hash).first
	for *at != e {
		at = &(*at).same
	}
	return at
}

// remove takes an entry out of the queue and of its chain, frees it, and returns how many bytes it took.
func (p *part) remove(e *entry) (freed int64) {
	p.unlink(e)
	s := p.index.Ref(e.hash)
	if s.first == e && e.same == nil {
		p.index.Delete(e.hash)
	} else {
		*p.link(e) = e.same
	}
	p.n--
	freed = e.footprint()
	palloc.Free(e)
	return freed
}
