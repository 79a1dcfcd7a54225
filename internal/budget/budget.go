// Package budget holds the limits on what contexts and all below them hold together, and
// what happens before a limit refuses: callbacks are asked to free memory, and goroutines
// wait for each other.
//
// A context with a budget has an account, and each context below it a ledger that names
// the innermost account it is under. A context that is under an account reserves with it
// before it acquires a block, and reports after it releases one. A request that is refused
// has the callbacks of the account asked, the largest consumer first, and is tried again.
//
// Two locks: the one of this package is taken inside the tree's. No callback runs under
// either.
package budget

import (
	"sync"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// What a budget can be told, and asked.
//
// Invariant: an account exists while something needs it: a limit, a critical section that
// is open, or the recording of a peak.
//
// Cost: to open an account takes a step for each context below; to close one, too.

func init() {
	kind.CheckLimit = reserve
	tree.Enroll, tree.Forget, tree.Moved = enroll, forget, rebookFirst
}

// SetLimit sets the limit of the context's budget, in bytes; NoLimit takes it away.
func SetLimit(mc tree.Ref, op string, bytes int64) {
	set(mc, op, bytes, func(a *account) { a.limit = bytes })
}

// SetSoftLimit sets the soft limit, as SetLimit does.
func SetSoftLimit(mc tree.Ref, op string, bytes int64) {
	set(mc, op, bytes, func(a *account) { a.soft, a.heed = bytes, bytes })
}

func set(mc tree.Ref, op string, bytes int64, do func(*account)) {
	if bytes == NoLimit {
		lift(mc, op, do)
		return
	}
	withAccount(mc, op, do)
}

// lift takes something away from the account, and the account if nothing needs it.
func lift(mc tree.Ref, op string, do func(*account)) {
	if closeAccount(mc, op, do) {
		rebookBelow(mc)
	}
}

// Figures are those of a budget, in bytes.
type Figures struct{ Held, Peak, Limit, SoftLimit int64 }

// Read returns the figures of the context's budget, and whether it has one.
func Read(mc tree.Ref, op string) (f Figures, ok bool) {
	l := mc.Lock(op)
	a := accountOf(mc.Node())
	l.Unlock()
	if a == nil {
		return f, false
	}
	<-a.opened
	budgets.Lock()
	defer budgets.Unlock()
	return Figures{a.held.Load(), a.peak.Load(), a.limit, a.soft}, true
}

// ResetPeak makes what is held now the peak, and opens a budget if there is none.
func ResetPeak(mc tree.Ref, op string) {
	withAccount(mc, op, func(a *account) {
		a.recording = true
		a.peak.Store(a.held.Load())
	})
}

// StopPeak ends what ResetPeak began.
func StopPeak(mc tree.Ref, op string) {
	lift(mc, op, func(a *account) { a.recording = false })
}

// EnterCritical opens a critical section, until leave is called.
func EnterCritical(mc tree.Ref, op string) (leave func()) {
	var a *account
	withAccount(mc, op, func(own *account) { a = own; a.critical++ })
	return sync.OnceFunc(func() {
		budgets.Lock()
		defer budgets.Unlock()
		a.critical--
	})
}

// AllowInCritical sets whether the context, and contexts that are created below it later,
// may acquire blocks in a critical section.
func AllowInCritical(mc tree.Ref, op string, allow bool) {
	allowInCritical(mc, op, allow)
	w := tree.Walk{Top: mc}
	for !w.Hold("", func(s *tree.Node, at tree.Rung) (int32, bool) {
		s.Evict() // a cached child has the setting of before
		return 0, at.Level == 1
	}) {
	}
}

func allowInCritical(mc tree.Ref, op string, allow bool) {
	defer mc.LockToEnter(op, tree.AllowsCritical).Unlock()
	if s := mc.Node(); !allow {
		relaxed.Store32(&s.Has, s.Has&^tree.AllowsCritical)
	}
}
