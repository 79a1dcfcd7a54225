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
// Cost: a load and two stores for each call. Every 256th call yields the processor
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
	busy  uint32 // plain, as the flags of Go's maps: a goroutine that is missed once is met later
	calls uint32
	met   atomic.Pointer[visitor] // the goroutine inside, once it leaves
}

// enter begins a call. The error is a *Finding.
func (s *state) enter() error {
	switch {
	case s.shared || !s.has(Owner):
	case s.busy != idle:
		return s.collide()
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
	switch {
	case s.shared || !s.has(Owner):
	case s.busy == wanted:
		s.met.Store(here())
		s.busy = idle
	default:
		s.busy = idle
	}
}

// collide waits for the stack of the goroutine inside, and returns what to report.
func (s *state) collide() error {
	s.busy = wanted
	me := here()
	f := &Finding{Mistake: TwoGoroutines, Core: s.core, Op: opOf(me.stack)}
	// The one inside may have no processor for a while. If it left before it could see the mark, it left no stack.
	for begin := time.Now(); s.met.Load() == nil && s.busy != idle && time.Since(begin) < patience; {
		runtime.Gosched()
	}
	f.Text = fmt.Sprintf("the context is used by %s while another goroutine is inside: create it with Shared, or give each goroutine its own", me.name)
	other := s.met.Swap(nil)
	if other == nil {
		s.busy = idle // the mark must not stay
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
