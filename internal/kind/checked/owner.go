package checked

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// The check that one goroutine at a time uses a context that is not Shared.
//
// Invariant: the word busy is not 0 while a goroutine is inside a method of the kind. A
// goroutine that finds it so marks it, and the one inside sees the mark when it leaves, and
// leaves its stack. One that leaves before it can be marked is met another time.
//
// Cost: a load, a store and a swap for each call. Every 256th call yields the processor
// inside, so that goroutines that share a context meet soon.

// The values of busy.
const (
	idle = iota
	inside
	wanted // inside, and another goroutine waits for its stack
)

// patience is how long a goroutine waits for the stack of the one inside.
const patience = time.Second

// A visitor is a goroutine, and where it is.
type visitor struct {
	name  string // "goroutine 7"
	stack Stack
}

// owner is the check of one context.
type owner struct {
	busy  uint32 // set by a plain store: two goroutines that enter at the same moment are missed, and met later
	calls uint32
	met   atomic.Pointer[visitor] // the goroutine inside, once it leaves
}

// enter begins a call. The error is a *Finding.
func (s *state) enter() error {
	switch {
	case s.shared || !s.has(Owner):
	case s.busy != idle && atomic.CompareAndSwapUint32(&s.busy, inside, wanted):
		return s.collide()
	case s.busy == wanted: // the one that waits reports it
	default:
		s.busy = inside
		if s.calls++; s.calls%256 == 0 {
			runtime.Gosched()
		}
	}
	s.mu.Lock()
	return nil
}

// leave ends a call.
func (s *state) leave() {
	s.mu.Unlock()
	if !s.shared && s.has(Owner) && atomic.SwapUint32(&s.busy, idle) == wanted {
		s.met.Store(here())
	}
}

// collide waits for the stack of the goroutine inside, which was marked, and returns what to report.
func (s *state) collide() error {
	me := here()
	f := &Finding{Mistake: TwoGoroutines, Core: s.core, Op: opOf(me.stack)}
	for begin := time.Now(); s.met.Load() == nil && time.Since(begin) < patience; { // it may have no processor
		runtime.Gosched()
	}
	f.Text = fmt.Sprintf("the context is used by %s while another goroutine is inside: create it with Shared, or give each goroutine its own", me.name)
	other := s.met.Swap(nil)
	if other == nil {
		atomic.CompareAndSwapUint32(&s.busy, wanted, inside)
	} else {
		f.Other = other.stack
		f.Text = fmt.Sprintf("the context is used by %s while %s is inside%s: create it with Shared, or give each goroutine its own",
			me.name, other.name, at(other.stack))
	}
	return f
}

// here returns the calling goroutine.
func here() *visitor {
	var text [64]byte
	name, _, _ := strings.Cut(string(text[:runtime.Stack(text[:], false)]), " [")
	return &visitor{name, capture(2)}
}
