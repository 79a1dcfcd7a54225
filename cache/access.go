package cache

import (
	"reflect"
	"runtime"
	"slices"
	"time"
)

// Functions of the caller, which run under the lock.
//
// Invariant: while one runs, inside is true, and a frame of within is on its goroutine's stack. So a call of a
// Cache from it is noticed, which would else wait for itself.
//
// Cost: two atomic stores, and no copy. A goroutine that waits for a function looks through its own stack
// first, some tens of nanoseconds a frame.

// View calls read with the value of a key, and reports whether the key has one. It counts as Get does.
//
// The value is the Cache's own: read must not change it, nor keep it. The Cache is locked meanwhile, so
// that others wait, and read should be short: it should not wait for anything. It must not use a Cache,
// this or another: where that would wait for a function of View or Update, it is a *palloc.Fault.
// What it allocates in other contexts below the same limit gets no memory of what is locked.
func (c *Cache) View(key string, read func(value []byte)) (found bool) {
	p, hash := c.lock("cache.Cache.View", key)
	defer p.leave()
	e := p.use(hash, key)
	if e == nil {
		return false
	}
	within(p, func() { read(e.value()) })
	return true
}

// ViewBytes works as View does, for a key in bytes.
func (c *Cache) ViewBytes(key []byte, read func(value []byte)) (found bool) {
	return c.View(asString(key), read)
}

// An Item is what the function of Update is given of a key, and changes. It is the function's while that
// runs.
type Item struct {
	Value    []byte    // the Cache's own: it may be changed in place, or replaced by bytes that are then copied
	Deadline time.Time // the zero Time for none
	Found    bool      // the key has a value; to change Found means nothing
}

// Update changes the value of a key in one step: it calls change with what the key has, and if that
// returns true, puts what the Item then has. Otherwise the key has no value from then on. Update reports
// whether the key has a value, which is refused as by Put. It does not count hits and misses.
//
//	hits.Update(page, func(i *cache.Item) bool {
//		n, _ := strconv.Atoi(string(i.Value))
//		i.Value = strconv.AppendInt(nil, int64(n)+1, 10)
//		return true
//	})
//
// For change the same holds as for the function of View, but that it may change the value. A value of
// the same length, or a new deadline alone, takes no new memory.
func (c *Cache) Update(key string, change func(i *Item) (keep bool)) bool {
	p, hash := c.lock("cache.Cache.Update", key)
	defer p.leave()
	e, keep := p.find(hash, key), false
	if e != nil {
		e.used = true
		p.item = Item{Value: e.value(), Deadline: timeOf(e.deadline), Found: true}
	}
	within(p, func() { keep = change(&p.item) })
	deadline := nanoseconds(p.item.Deadline)
	if !keep || deadline != 0 && p.past(deadline) {
		if e != nil {
			p.remove(e)
		}
		return false
	}
	p.pinned = e
	return p.put(hash, key, p.item.Value, deadline)
}

// UpdateBytes works as Update does, for a key in bytes.
func (c *Cache) UpdateBytes(key []byte, change func(i *Item) (keep bool)) bool {
	return c.Update(asString(key), change)
}

// within calls a function of the caller. The lock is held, and leave follows.
//
//go:noinline
func within(p *part, f func()) {
	p.inside.Store(true)
	f()
}

// leave ends View and Update, also where a function panics.
func (p *part) leave() {
	p.pinned, p.item = nil, Item{}
	p.inside.Store(false)
	p.mu.Unlock()
}

// wait is lock, for when another goroutine has the lock, or this one in a function of View or Update,
// which is a *palloc.Fault.
func (p *part) wait(op string) {
	if p.inside.Load() && isWithin() {
		p.all.Lifetime().Misuse(op, "a function of View or Update uses a Cache, which may wait for it for ever: use it after View or Update")
	}
	p.mu.Lock()
}

// isWithin reports whether the calling goroutine runs a function of View or Update.
func isWithin() bool {
	pcs := make([]uintptr, 128)
	n := runtime.Callers(2, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 8*n)
		n = runtime.Callers(2, pcs)
	}
	begin := reflect.ValueOf(within).Pointer()
	return slices.ContainsFunc(pcs[:n], func(pc uintptr) bool {
		f := runtime.FuncForPC(pc - 1)
		return f != nil && f.Entry() == begin
	})
}
