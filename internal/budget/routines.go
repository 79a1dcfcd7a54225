package budget

import (
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// Goroutines in callbacks: an allocation that a callback of OnPressure makes must know
// whose callback that is, lest it wait for itself.
//
// Go does not tell goroutines apart. So a callback runs below four frames whose functions
// spell a number, which an allocation finds on its own stack.
//
// Invariant: a number belongs to one goroutine as long as that runs callbacks or waits. The
// lock of budgets guards the table. What a callback has another goroutine do is not
// known to be the callback's.
//
// Cost: a look at the stack, some tens of nanoseconds a frame, where a budget is short while
// a callback runs.

// routine is a goroutine that has callbacks asked, or waits for somebody.
type routine struct {
	number uint32
	limits []tree.Ref // that the callbacks are asked for which it runs, the outermost first

	// The lock of budgets guards what it waits for.
	on   holding
	core *kind.Core    // on whose behalf
	wake chan struct{} // its own listeners are asked meanwhile
}

const (
	digits       = 4
	digitBits    = 3
	mostRoutines = 1<<(digits*digitBits) - 1 // the number of all that are too many
)

// routineTable has the routines by number. Number 0 is nobody's.
type routineTable struct {
	all     []*routine
	free    []uint32
	waiting map[*routine]bool
}

// crowd stands for all routines beyond those with a number. It never waits.
var crowd = &routine{number: mostRoutines}

// enter answers the calling goroutine's routine, and whether it is in a callback that
// the same one runs; if not, leave is to follow.
func (t *routineTable) enter() (r *routine, nested bool) {
	n := spelled()
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case n == mostRoutines:
		return crowd, true
	case n != 0:
		return t.all[n], true
	case len(t.free) > 0:
		n = t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
	case len(t.all) == mostRoutines:
		return crowd, false
	default:
		n = uint32(max(len(t.all), 1))
		t.all = append(t.all, make([]*routine, int(n)+1-len(t.all))...)
	}
	t.all[n] = &routine{number: n, wake: make(chan struct{}, 1)}
	return t.all[n], false
}

// leave gives the number back.
func (t *routineTable) leave(r *routine) {
	if r != crowd {
		budgets.Lock()
		t.all[r.number] = nil
		t.free = append(t.free, r.number)
		budgets.Unlock()
	}
}

// running is how many callbacks run.
var running atomic.Int32

// inside runs a callback of the routine, that is asked for the limit of a context.
func (r *routine) inside(limit tree.Ref, callback func()) {
	running.Add(1)
	defer running.Add(-1)
	if r != crowd {
		r.limits = append(r.limits, limit)
		defer func() { r.limits = r.limits[:len(r.limits)-1] }()
	}
	spell(r.number, digits, callback)
}

// depth is how many callbacks the goroutine is in that are asked for the account, for one
// around it or for one that it is around. The lock of budgets must be held.
func (r *routine) depth(a *account) (n int) {
	for _, limit := range r.limits {
		if b := budgets.accounts[limit.Core.Number()]; b != nil && (a.within(b) || b.within(a)) {
			n++
		}
	}
	return n
}

// within says whether the account is b, or b is around it.
func (a *account) within(b *account) bool {
	for ; a != nil; a = a.outer {
		if a == b {
			return true
		}
	}
	return false
}

// spell calls f below frames of the digits of n.
//
//go:noinline
func spell(n uint32, left int, f func()) {
	if left == 0 {
		f()
		return
	}
	spelling[n%(1<<digitBits)](n>>digitBits, left-1, f)
}

// spelling has a function for each digit.
var spelling [1 << digitBits]func(n uint32, left int, f func())

// digitOf is the digit of a function, by where that begins.
var digitOf map[uintptr]uint32

func init() {
	spelling = [...]func(uint32, int, func()){digit0, digit1, digit2, digit3, digit4, digit5, digit6, digit7}
	digitOf = make(map[uintptr]uint32)
	for d, f := range spelling {
		digitOf[reflect.ValueOf(f).Pointer()] = uint32(d)
	}
}

//go:noinline
func digit0(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit1(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit2(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit3(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit4(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit5(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit6(n uint32, left int, f func()) { spell(n, left, f) }

//go:noinline
func digit7(n uint32, left int, f func()) { spell(n, left, f) }

// spelled is the number of the innermost callback that the calling goroutine is in, 0
// when it is in none; that of the crowd when its stack is too deep to be looked through.
func spelled() uint32 {
	if running.Load() == 0 {
		return 0
	}
	var near [128]uintptr
	pcs := near[:]
	n := runtime.Callers(2, pcs)
	for n == len(pcs) && n < mostFrames {
		pcs = make([]uintptr, 8*n)
		n = runtime.Callers(2, pcs)
	}
	number, found := uint32(0), 0
	for _, pc := range pcs[:n] {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			continue
		}
		if d, ok := digitOf[f.Entry()]; ok { // the innermost digit is the highest
			number = number<<digitBits | d
			if found++; found == digits {
				return number
			}
		}
	}
	if n >= mostFrames {
		return mostRoutines
	}
	return 0
}

const mostFrames = 64 << 10
