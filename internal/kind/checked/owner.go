package checked

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The check that one goroutine at a time uses a context that is not Shared, and what keeps others out
// meanwhile.
//
// Invariant: the word busy is not idle while a goroutine is inside a method of the kind. One that
// finds it inside marks it, and the one inside sees the mark when it leaves, and leaves its
// stack. One that leaves before it can be marked is met another time. A context that is Shared, or not
// checked for this, has a mutex instead.
//
// Cost: two atomic operations for each call.

// The values of busy.
const (
	idle   = iota
	inside // the context's goroutine
	wanted // likewise, and another one waits for its stack
	looked // another context's Check looks at a chunk
)

// yieldEvery is how many calls yield the processor inside once, so that goroutines that share a context meet
// soon.
const yieldEvery = 256

// patience is how long a goroutine waits for the stack of the one inside.
const patience = time.Second

// A visitor is a goroutine, and where it is.
type visitor struct {
	name  string // "goroutine 7"
	stack Stack
}

// owner is the check of one context.
type owner struct {
	alone bool // one goroutine at a time is expected, and busy is used, else mu
	busy  uint32
	calls uint32
	mu    sync.Mutex
	met   atomic.Pointer[visitor] // the goroutine inside, once it leaves
}

// enter begins a call. The error is a *Finding.
func (s *state) enter() error {
	if !s.alone {
		s.mu.Lock()
		return nil
	}
	if !atomic.CompareAndSwapUint32(&s.busy, idle, inside) {
		if err := s.meet(); err != nil {
			return err
		}
	}
	if s.calls++; s.calls%yieldEvery == 0 {
		runtime.Gosched()
	}
	return nil
}

// leave ends a call.
func (s *state) leave() {
	if !s.alone {
		s.mu.Unlock()
	} else if atomic.SwapUint32(&s.busy, idle) == wanted {
		s.tell()
	}
}

// tell leaves this goroutine's stack for the one that waits for it.
func (s *state) tell() { s.met.Store(here()) }

// meet enters where another goroutine is inside, or returns what to report.
func (s *state) meet() error {
	for {
		switch atomic.LoadUint32(&s.busy) {
		case idle:
			if atomic.CompareAndSwapUint32(&s.busy, idle, inside) {
				return nil
			}
		case inside:
			if atomic.CompareAndSwapUint32(&s.busy, inside, wanted) {
				return s.collide()
			}
		default: // another goroutine reports it, or looks
			runtime.Gosched()
		}
	}
}

// look keeps all goroutines out until unlock is called; ok is false if one is inside. Any goroutine.
func (s *state) look() (unlock func(), ok bool) {
	if !atomic.CompareAndSwapUint32(&s.busy, idle, looked) {
		return nil, false
	}
	leave := func() { atomic.CompareAndSwapUint32(&s.busy, looked, idle) }
	if !s.mu.TryLock() {
		leave()
		return nil, false
	}
	return func() { s.mu.Unlock(); leave() }, true
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
