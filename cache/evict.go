package cache

import (
	"errors"
	"runtime"

	"github.com/gopalloc/palloc"
)

// What is evicted, and when: SIEVE, by Zhang, Yang, Yue, Vigfusson and Rashmi, 2024. The hand takes an entry
// past its deadline as if it was not used.
//
// Invariant: the queue has the entries in the order in which they were inserted. The hand is at the
// entry that is looked at next; nil for the oldest.
//
// Cost: each entry that is evicted, and each that is passed because it was used, takes a few steps. An eviction
// looks at the clock once where it meets a deadline.

// queue is the entries, from the oldest to the newest.
type queue struct{ oldest, newest, hand *entry }

// push makes e the newest.
func (q *queue) push(e *entry) {
	e.older = q.newest
	if q.newest == nil {
		q.oldest = e
	} else {
		q.newest.newer = e
	}
	q.newest = e
}

// unlink takes e out.
func (q *queue) unlink(e *entry) {
	if q.hand == e {
		q.hand = e.newer
	}
	if e.older == nil {
		q.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
	if e.newer == nil {
		q.newest = e.older
	} else {
		e.newer.older = e.older
	}
	e.newer, e.older = nil, nil
}

// swap puts e in the place of old.
func (q *queue) swap(old, e *entry) {
	e.newer, e.older = old.newer, old.older
	for _, end := range []**entry{&q.oldest, &q.newest, &q.hand} {
		if *end == old {
			*end = e
		}
	}
	if e.newer != nil {
		e.newer.older = e
	}
	if e.older != nil {
		e.older.newer = e
	}
}

// next returns the entry to evict: the first from the hand on that was not used since the hand passed
// last, or is past its deadline. There is one beside the pinned entry.
func (p *part) next() (e *entry, expired bool) {
	now := int64(0)
	for {
		if e = p.hand; e == nil {
			e = p.oldest
		}
		if p.hand = e; e != p.pinned {
			if e.deadline != 0 && now == 0 {
				now = nanoseconds(p.now())
			}
			expired = e.deadline != 0 && e.deadline <= now
			if expired || !e.used {
				return e, expired
			}
			e.used = false
		}
		p.hand = e.newer
	}
}

var (
	errEmpty   = errors.New("the cache is empty")
	errGrowing = errors.New("the cache's index is growing, and does without")
	errLocked  = errors.New("another goroutine uses the cache")
)

// maxTries is how often another goroutine tries to get the lock, whose holder may itself be waiting.
const maxTries = 1000

// evict is the part's callback of OnPressure. It may be called by Put, which has the lock, or by
// another goroutine that allocates.
func (p *part) evict(by palloc.Pressure) error {
	if by.Asker != p.values && by.Asker != p.table {
		for n := 0; !p.mu.TryLock(); n++ {
			if n == maxTries {
				return errLocked
			}
			runtime.Gosched()
		}
		defer p.mu.Unlock()
	}
	if p.growing {
		return errGrowing // to evict is to change it
	}
	stays := 0
	if p.pinned != nil {
		stays = 1
	}
	for freed := int64(0); freed < by.Need && p.n > stays; {
		freed += p.evictOne()
	}
	p.values.Compact()
	if p.n == stays {
		return errEmpty
	}
	return nil
}

// evictOne evicts an entry, of which there is one, and returns how many bytes it took.
func (p *part) evictOne() int64 {
	e, expired := p.next()
	if expired {
		p.counts.Expired++
	} else {
		p.counts.Evicted++
	}
	return p.remove(e)
}
