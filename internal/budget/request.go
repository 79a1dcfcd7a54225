package budget

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// Requests: allocations that a limit refused, and their retries.
//
// Invariant: a request fails only when everything was tried for each account that refused
// it: the free memory of the kind, the context's keeper, and every callback, again as long
// as that freed anything. No lock is held while callbacks run or a goroutine waits.
//
// Cost: a few words when there is no callback; else that of the rounds of callbacks.

// request is an allocation that was refused once.
type request struct {
	core          *kind.Core // of the context that allocates
	op            string
	path          string // of that context, once a callback runs
	epoch, cookie uint64 // of the context when the request began
	arrival       uint64 // how many reclaimers there were then
	optional      bool   // it fails at once where a limit is reached
	cancel        canceler

	me     *goroutine
	nested bool // me runs a callback

	reclaimer *reclaimer  // that the request is; nil: none
	awaited   *reclaimer  // that it waited for last
	round     []candidate // listeners still to be asked in this round
	rounds    int
	progress  bool    // something was freed in this round
	askMore   bool    // a callback of this round may free something when asked for more
	reopened  int     // how often the account that refused was closed meanwhile
	moves     int     // how often the context was moved out of the account that refused
	maxFree   uintptr // the most that was free in the context, in bytes

	reclaims []Reclaim
}

// maxRepeats bounds what may happen again and again before a request fails: the limit is
// removed and set again, the context is moved, or what was freed up to the whole limit is
// taken by other requests.
const maxRepeats = 4

// errReopened is why a request fails whose limit is removed and set again.
var errReopened = errors.New("callbacks removed the limit and set it again, several times")

// Alloc allocates a chunk in a context of any kind, by the slow path. When a limit refuses
// it has memory freed and tries again. It reports what was found to be overwritten.
func Alloc(c *kind.Core, op string, size uintptr) (uintptr, error) {
	if AsksOrSamples() {
		if HasOwnerRequests() {
			AnswerFor(c, op)
		}
		if p := checked.Guarded(c, kinds.Traits(c.Kind()), size); p != 0 {
			return p, nil
		}
	}
	p, err := kinds.Methods[c.Kind()].Alloc(c, size)
	tree.RaisePending()
	if err == nil {
		return p, nil
	}
	return Retry(c, op, false, err, func() (uintptr, error) { return kinds.Methods[c.Kind()].Alloc(c, size) })
}

// Try does what Alloc does for anything else that may acquire a block. What is optional fails
// at once where a limit is reached; only soft limits have memory freed. Alloc is separate
// because it makes no closure before a limit refuses.
func Try(c *kind.Core, op string, optional bool, try func() (uintptr, error)) (uintptr, error) {
	p, err := try()
	if err == nil {
		return p, nil
	}
	return Retry(c, op, optional, err, try)
}

// Retry repeats what was refused with err, as long as memory is freed for it.
func Retry(c *kind.Core, op string, optional bool, err error, try func() (uintptr, error)) (uintptr, error) {
	if _, limited := err.(*LimitError); !limited {
		return 0, err
	}
	r := newRequest(c.Owner(), op)
	r.optional = optional
	budgets.Lock()
	r.arrival = budgets.reclaimers
	budgets.Unlock()
	defer r.end()
	for {
		if err = r.reclaim(err); err != nil {
			return 0, err
		}
		p, again := try()
		if again == nil {
			return p, nil
		}
		err = again
	}
}

// newRequest returns a request of the context of c. end follows.
func newRequest(c *kind.Core, op string) request {
	return request{core: c, op: op, epoch: c.Epoch, cookie: c.Cookie}
}

// reclaim does something about a refusal. It returns nil if the allocation should be
// repeated, else the error.
func (r *request) reclaim(err error) error {
	s, limited := err.(*LimitError)
	switch {
	case !limited:
		return err
	case s.soft:
		r.reclaimSoft(s)
		return nil
	case r.optional:
		return err
	case r.dropKeeper(s):
		return nil
	}
	if r.reclaimer != nil && r.reclaimer.account != s.account {
		if r.reclaimer.account.isClosed() {
			r.reopened++
		}
		r.endReclaim(false)
	}
	if r.reopened > maxRepeats {
		return r.fail(s, errReopened)
	}
	if r.reclaimer == nil {
		if again, err := r.becomeReclaimer(s); again || err != nil {
			return err
		}
	}
	return r.runRounds(s)
}

// dropKeeper releases the block that the context kept over a reset, if it is empty and the
// request then fits. It reports whether it did.
func (r *request) dropKeeper(s *LimitError) bool {
	c := r.core
	if c.NeedsReset|c.Dirty != 0 || c.Blocks == 0 || c.Cur != c.Blocks+kind.BlockHeader || c.MustKeep(kind.BlockAt(c.Blocks)) {
		return false
	}
	budgets.Lock()
	fits := s.More-int64(c.Total) <= s.account.available(c)
	budgets.Unlock()
	if fits {
		c.DropKeeper()
	}
	return fits
}

// identify finds out in whose callback the request is made.
func (r *request) identify() {
	if r.me == nil {
		r.me, r.nested = budgets.goroutines.enter()
	}
}

// end ends what the request began. It also follows a panic.
func (r *request) end() {
	r.endReclaim(false)
	if r.me != nil && !r.nested {
		budgets.goroutines.leave(r.me)
	}
}

// fits reports whether the limit that refused now allows the request.
func (r *request) fits(s *LimitError) bool {
	budgets.Lock()
	defer budgets.Unlock()
	return s.More <= s.account.available(r.core)
}

// fail returns the error of a request. The cause is nil when all callbacks ran.
func (r *request) fail(s *LimitError, cause error) error {
	if r.reclaimer != nil && r.reclaimer.account == s.account {
		r.endReclaim(cause == nil)
	}
	s.Reclaims, s.cause = r.reclaims, cause
	return s
}

// notePath notes the path of the context, which a callback may delete.
func (r *request) notePath() {
	if r.path == "" {
		tree.Lock()
		r.path = tree.PathOf(r.core)
		tree.Unlock()
	}
}

// checkLive panics when a callback reset or deleted the context that allocates.
func (r *request) checkLive(l named) {
	if r.core.Epoch == r.epoch && r.core.Cookie == r.cookie {
		return
	}
	panic(tree.Explain(nil, r.op, 0, &tree.Gone{Name: r.path, Reason: fmt.Sprintf(
		"a callback of OnPressure reset or deleted the context that was allocating: that of context %q, registered by %s", l.path, l.place.Line())}))
}
