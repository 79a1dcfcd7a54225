package cache

import (
	"math"
	"time"
)

// Deadlines. What is past its deadline is not there for any method, and is removed when a method or the hand
// meets it; no goroutine looks for it.
//
// Invariant: the deadline of an entry was in the future when it was set.
//
// Cost: 8 bytes of an entry, and a look at the clock when an entry that has a deadline is met.

// SetClock sets the clock by which values expire, in place of time.Now: one that a test sets, or one that
// is read faster. now is called under the lock; it must not use the Cache. It is for the time before the
// Cache is used.
func (c *Cache) SetClock(now func() time.Time) {
	for i := range c.parts {
		p := &c.parts[i]
		p.lock("cache.Cache.SetClock")
		p.now = now
		p.len() // a Fault after the end
	}
}

// PutUntil works as Put does, for a value that the key has until the deadline; the zero Time is none. A
// value whose deadline has come is not kept, and the key then has no value. Deadlines before 1970 have
// come, and one after the year 2261 may come in 2262.
func (c *Cache) PutUntil(key string, value []byte, deadline time.Time) bool {
	p, hash := c.lock("cache.Cache.PutUntil", key)
	defer p.mu.Unlock()
	at := nanoseconds(deadline)
	if at != 0 && p.past(at) {
		p.delete(hash, key)
		return false
	}
	return p.put(hash, key, value, at)
}

// PutUntilBytes works as PutUntil does, for a key in bytes.
func (c *Cache) PutUntilBytes(key, value []byte, deadline time.Time) bool {
	return c.PutUntil(asString(key), value, deadline)
}

// SetDeadline changes the deadline of the value of a key, and reports whether the key had one; the zero
// Time takes the deadline away. A value whose deadline has come is removed.
func (c *Cache) SetDeadline(key string, deadline time.Time) (found bool) {
	p, hash := c.lock("cache.Cache.SetDeadline", key)
	defer p.mu.Unlock()
	e := p.find(hash, key)
	if e == nil {
		return false
	}
	if e.deadline = nanoseconds(deadline); e.deadline != 0 && p.past(e.deadline) {
		p.remove(e)
	}
	return true
}

// SetDeadlineBytes works as SetDeadline does, for a key in bytes.
func (c *Cache) SetDeadlineBytes(key []byte, deadline time.Time) (found bool) {
	return c.SetDeadline(asString(key), deadline)
}

// Deadline returns the deadline of the value of a key, the zero Time if it has none, and reports whether
// the key has a value. It is no use of the value, for what is evicted.
func (c *Cache) Deadline(key string) (deadline time.Time, found bool) {
	p, hash := c.lock("cache.Cache.Deadline", key)
	defer p.mu.Unlock()
	e := p.find(hash, key)
	if e == nil {
		return time.Time{}, false
	}
	return timeOf(e.deadline), true
}

// DeadlineBytes works as Deadline does, for a key in bytes.
func (c *Cache) DeadlineBytes(key []byte) (deadline time.Time, found bool) {
	return c.Deadline(asString(key))
}

// Has reports whether a key has a value. It is no use of the value, for what is evicted.
func (c *Cache) Has(key string) bool {
	p, hash := c.lock("cache.Cache.Has", key)
	defer p.mu.Unlock()
	return p.find(hash, key) != nil
}

// HasBytes works as Has does, for a key in bytes.
func (c *Cache) HasBytes(key []byte) bool { return c.Has(asString(key)) }

// past reports whether a deadline has come, which is not 0.
func (p *part) past(deadline int64) bool { return deadline <= nanoseconds(p.now()) }

// nanoseconds returns the time since 1970; 0 for the zero Time. It stays between 1 and what int64 has.
func nanoseconds(t time.Time) int64 {
	switch s := t.Unix(); {
	case t.IsZero():
		return 0
	case s < 0:
		return 1
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return max(t.UnixNano(), 1)
}

// timeOf returns the time of nanoseconds.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
