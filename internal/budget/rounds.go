package budget

import (
	"cmp"
	"errors"
	"slices"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// Rounds: a reclaimer has every callback below the account run once in each.
//
// Invariant: there is another round only when the last one freed something, or a callback
// may free something when asked for more. From the second round on, what the request needs
// is reserved, since other requests took what the first one freed.
//
// Cost: a step for each callback below the account, in each round.

// candidate is a listener to be asked in a round.
type candidate struct {
	*Listener
	held int64 // bytes, about, by its context and all below it
}

// errNested is why a request in a callback for another callback's request fails.
var errNested = errors.New("it is made in a callback that runs for another callback's request: no callback is asked for it")

// maxNested is the number of callbacks, for any limits, in which a request has no further
// ones run.
const maxNested = 3

// runRounds has callbacks run until the allocation should be repeated: it then returns nil.
// It returns the error when all of them freed nothing.
func (r *request) runRounds(s *LimitError) error {
	for !r.fits(s) {
		if r.leftAccount(s.account) {
			return nil
		}
		if err := r.cancel.err(r.core); err != nil {
			return r.fail(s, err)
		}
		if len(r.round) == 0 {
			if r.rounds > 0 && (!r.progress && !r.askMore || r.isStarved()) {
				return r.fail(s, nil)
			}
			if r.beginRound(s); len(r.round) == 0 {
				return r.fail(s, r.nestingError(s.account))
			}
		}
		next := r.round[0]
		r.round = r.round[1:]
		if freer, err := r.ask(next, s); err != nil {
			return r.fail(s, err)
		} else if freer {
			return nil
		}
	}
	return nil
}

// leftAccount reports whether a callback moved the context out of the account, whose limit
// then no longer matters. It returns false when that happened too often.
func (r *request) leftAccount(a *account) bool {
	budgets.Lock()
	defer budgets.Unlock()
	if budgets.charges.At(r.core.Number()).account.isWithin(a) || r.moves == maxRepeats {
		return false
	}
	r.moves++
	return true
}

// isStarved reports whether other requests have taken what was freed for too long.
func (r *request) isStarved() bool {
	a := r.reclaimer.account
	budgets.Lock()
	defer budgets.Unlock()
	return r.rounds > 1 && (a.released-r.reclaimer.base)/maxRepeats > a.limit
}

// beginRound begins a round, and from the second one on reserves what the request needs.
func (r *request) beginRound(s *LimitError) {
	r.round, r.progress, r.askMore = r.candidates(s.account), false, false
	if r.rounds++; r.rounds > 1 {
		budgets.Lock()
		if r.reclaimer.reserved = s.More; r.rounds == 2 {
			r.reclaimer.base = s.account.released
		}
		budgets.Unlock()
	}
	r.maxFree = max(r.maxFree, freeIn(r.core))
}

// nestingError returns errNested when the request is in too many callbacks to have others
// run.
func (r *request) nestingError(a *account) error {
	budgets.Lock()
	defer budgets.Unlock()
	if r.me == overflow && r.nested || r.me.depth(a) > 1 || len(r.me.limits) >= maxNested { // the depth of overflow is not known
		return errNested
	}
	return nil
}

// candidates returns the listeners below the account, the one that holds most first; none
// where nestingError returns an error.
func (r *request) candidates(a *account) []candidate {
	if r.nestingError(a) != nil {
		return nil
	}
	budgets.Lock()
	all := slices.Clone(a.listeners.list)
	budgets.Unlock()
	list := make([]candidate, len(all))
	for i, l := range all {
		list[i] = candidate{l, l.held()}
	}
	slices.SortStableFunc(list, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.held, x.held), cmp.Compare(x.owner.Core.Number(), y.owner.Core.Number()))
	})
	return list
}

// freeIn returns how many bytes are free in the blocks of the context of c.
func freeIn(c *kind.Core) uintptr { return kinds.Methods[c.Kind()].Stats(c, false).Free }
