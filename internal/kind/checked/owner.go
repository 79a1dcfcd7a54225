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
// goroutine that finds it so marks it, and the one inside leaves its stack.
//
// Cost: a compare-and-swap and a swap for each call. Every 256th call yields the processor
// inside, so that goroutines that share a context meet soon.

// The values of busy.
const (
	nobodyInside = iota
	inside
	wanted // inside, and another goroutine waits for its stack
)

// A visitor is a goroutine, and where it is.
type visitor struct {
	name  string // "goroutine 7"
	stack Stack
}

// owner is the check of one context.
type owner struct {
	busy  atomic.Uint32
	calls uint32
	met   atomic.Pointer[visitor] // the goroutine inside, once it leaves
}

// enter begins a call. The error is a *Finding.
func (s *state) enter() error {
	switch {
	case s.shared:
		s.mu.Lock()
	case !s.has(Owner):
	case !s.busy.CompareAndSwap(nobodyInside, inside):
		return s.collide()
	default:
		if s.calls++; s.calls%256 == 0 {
			runtime.Gosched()
		}
	}
	return nil
}

// leave ends a call.
func (s *state) leave() {
	switch {
	case s.shared:
		s.mu.Unlock()
	case !s.has(Owner):
	case s.busy.CompareAndSwap(inside, nobodyInside):
	default:
		s.met.Store(here())
		s.busy.Store(nobodyInside)
	}
}

// collide waits for the stack of the goroutine inside, and returns what to report.
func (s *state) collide() error {
	s.busy.CompareAndSwap(inside, wanted)
	me := here()
	f := &Finding{Mistake: TwoGoroutines, Core: s.core, Op: opOf(me.stack)}
	for begin := time.Now(); s.busy.Load() != nobodyInside && time.Since(begin) < time.Second; {
		runtime.Gosched()
	}
	f.Text = fmt.Sprintf("the context is used by %s while another goroutine is inside: create it with Shared, or give each goroutine its own", me.name)
	if other := s.met.Swap(nil); other != nil {
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
