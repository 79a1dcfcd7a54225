// Package budget holds the limits on what contexts and all below them hold together, and
// what happens before a limit refuses: callbacks free memory, and goroutines wait for each
// other.
//
// A context with a budget has an account. A context is charged to the innermost account
// around it, its own if it has one, and so to every account around that. It reserves with
// them before it acquires a block, and reports after it releases one.
//
// A request that a limit refuses becomes the reclaimer of the account: it runs the callbacks
// of contexts below the account, the one that holds most first, and tries again. Other
// requests that the limit refuses wait for the reclaimer. A soft limit has callbacks run
// once, and refuses nothing.
//
// The package's lock is taken inside the tree's. No callback runs under either.
package budget

import (
	"runtime"
	"sync"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// What the root package sets and reads of a budget.
//
// Invariant: an account exists while something needs it: a limit, an open critical section,
// or the recording of a peak.
//
// Cost: to open or to close an account takes a step for each context below it.

func init() {
	kind.CheckLimit = reserve
	tree.Enroll, tree.Forget, tree.Moved = enroll, forget, rechargeTop
}

// SetLimit sets the limit of the context's budget, in bytes; NoLimit removes it. Any
// goroutine.
func SetLimit(mc tree.Ref, op string, bytes int64) {
	set(mc, op, bytes, func(a *account) { a.limit = bytes })
}

// SetSoftLimit sets the soft limit, as SetLimit does. Any goroutine.
func SetSoftLimit(mc tree.Ref, op string, bytes int64) {
	set(mc, op, bytes, func(a *account) { a.soft, a.watermark = bytes, bytes })
}

func set(mc tree.Ref, op string, bytes int64, do func(*account)) {
	if bytes == NoLimit {
		unset(mc, op, do)
		return
	}
	withAccount(mc, op, do)
}

// unset removes something from the account, and the account if nothing else needs it.
func unset(mc tree.Ref, op string, do func(*account)) {
	if closeAccount(mc, op, do) {
		RechargeBelow(mc)
	}
}

// Figures are those of a budget, in bytes.
type Figures struct{ Held, Peak, Limit, SoftLimit int64 }

// Read returns the figures of the context's budget, and whether it has one. Any goroutine.
func Read(mc tree.Ref, op string) (f Figures, ok bool) {
	l := mc.Lock(op)
	a := ownAccount(mc.Node())
	l.Unlock()
	if a == nil {
		return f, false
	}
	<-a.opened
	budgets.Lock()
	defer budgets.Unlock()
	return Figures{a.held.Load(), a.peak.Load(), a.limit, a.soft}, true
}

// ResetPeak makes what is held now the peak, and opens a budget if there is none. Any
// goroutine.
func ResetPeak(mc tree.Ref, op string) {
	withAccount(mc, op, func(a *account) {
		a.recording = true
		a.peak.Store(a.held.Load())
	})
}

// StopPeak ends the recording that ResetPeak began. Any goroutine.
func StopPeak(mc tree.Ref, op string) {
	unset(mc, op, func(a *account) { a.recording = false })
}

// EnterCritical opens a critical section, which leave closes. Any goroutine.
func EnterCritical(mc tree.Ref, op string) (leave func()) {
	var a *account
	by := new(tree.Callers)
	runtime.Callers(2, by[:])
	withAccount(mc, op, func(own *account) {
		if a = own; a.critical == 0 {
			a.entered = by
		}
		a.critical++
	})
	return sync.OnceFunc(func() {
		budgets.Lock()
		defer budgets.Unlock()
		a.critical--
	})
}

// AllowInCritical sets whether the context, and contexts that are created below it later,
// may acquire blocks in a critical section. Any goroutine.
func AllowInCritical(mc tree.Ref, op string, allow bool) {
	l := mc.LockToEnter(op, tree.AllowsCritical)
	if s := mc.Node(); !allow {
		relaxed.Store32(&s.Has, s.Has&^tree.AllowsCritical)
	}
	l.Unlock()
	w := tree.Walk{Top: mc}
	for !w.Hold("", func(s *tree.Node, at tree.Cursor) (int32, bool) {
		s.Evict() // a cached child has the old setting
		return 0, at.Level == 1
	}) {
	}
}
