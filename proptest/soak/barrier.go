package main

import "sync"

// Where the workers wait for each other.
//
// Invariant: all of them get the same answer, since one of them asks.
//
// Cost: a lock.

// A barrier lets the workers wait for each other.
type barrier struct {
	mutex sync.Mutex
	all   sync.Cond
	here  int
	round int
	over  bool
}

// wait returns once all workers have called it. The last one asks whether the work is over,
// before any other goes on; wait reports that to all.
func (b *barrier) wait(isOver func() bool) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	round := b.round
	if b.here++; b.here == workers {
		b.here = 0
		b.round++
		b.over = isOver()
		b.all.Broadcast()
		return b.over
	}
	for b.round == round {
		b.all.Wait()
	}
	return b.over
}
