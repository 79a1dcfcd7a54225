package budget

import (
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// Goroutines in callbacks: an allocation that a callback of OnPressure makes must know
// whose callback that is, so that it does not wait for itself.
//
// Go does not tell goroutines apart. So a callback runs below four frames whose functions
// are the digits of a number, which an allocation finds on its own stack.
//
// Invariant: a number belongs to one goroutine while that runs callbacks or waits. The lock
// of budgets guards the table. An allocation that another goroutine makes for a callback is
// not known to be the callback's.
//
// Cost: a look at the stack, some tens of nanoseconds a frame, when a limit refuses while a
// callback runs.

// goroutine is one that runs callbacks, or waits for another one.
type goroutine struct {
	number uint32
	limits []tree.Ref // the contexts on behalf of whose limits it runs callbacks, the outermost first

	// The lock of budgets guards what it waits for.
	waitsOn resource
	core    *kind.Core    // of the context on behalf of which it waits
	wake    chan struct{} // receives when it has to run callbacks as an owner
}

const (
	digits        = 4
	digitBits     = 3
	maxGoroutines = 1<<(digits*digitBits) - 1 // the number of all that are too many
	maxFrames     = 64 << 10                  // that are looked through for a number
)

// overflow stands for all goroutines beyond those with a number. It never waits.
var overflow = &goroutine{number: maxGoroutines}

// callbacksRunning is the number of callbacks that run in the process.
var callbacksRunning atomic.Int32

// goroutineTable has the goroutines by number. Number 0 is that of none.
type goroutineTable struct {
	all     []*goroutine
	free    []uint32 // numbers
	waiting map[*goroutine]bool
}

// enter returns the calling goroutine, and whether it runs a callback. If not, leave
// follows.
func (t *goroutineTable) enter() (g *goroutine, nested bool) {
	n := numberOnStack()
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case n == maxGoroutines:
		return overflow, true
	case n != 0:
		return t.all[n], true
	case len(t.free) > 0:
		n = t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
	case len(t.all) == maxGoroutines:
		return overflow, false
	default:
		n = uint32(max(len(t.all), 1))
		t.all = append(t.all, make([]*goroutine, int(n)+1-len(t.all))...)
	}
	t.all[n] = &goroutine{number: n, wake: make(chan struct{}, 1)}
	return t.all[n], false
}

// leave frees the goroutine's number.
func (t *goroutineTable) leave(g *goroutine) {
	if g != overflow {
		budgets.Lock()
		t.all[g.number] = nil
		t.free = append(t.free, g.number)
		budgets.Unlock()
	}
}

// runCallback runs a callback in the goroutine, on behalf of the limit of a context.
func (g *goroutine) runCallback(limit tree.Ref, callback func()) {
	callbacksRunning.Add(1)
	defer callbacksRunning.Add(-1)
	if g != overflow {
		g.limits = append(g.limits, limit)
		defer func() { g.limits = g.limits[:len(g.limits)-1] }()
	}
	callNumbered(g.number, digits, callback)
}

// depth returns how many callbacks the goroutine is in that run for the account, for one
// around it or for one inside it. The lock of budgets must be held.
func (g *goroutine) depth(a *account) (n int) {
	for _, limit := range g.limits {
		if b := budgets.accounts[limit.Core.Number()]; b != nil && (a.isWithin(b) || b.isWithin(a)) {
			n++
		}
	}
	return n
}

// callNumbered calls f below a frame for each of the lowest left digits of n.
//
//go:noinline
func callNumbered(n uint32, left int, f func()) {
	if left == 0 {
		f()
		return
	}
	digitFuncs[n%(1<<digitBits)](n>>digitBits, left-1, f)
}

// digitFuncs has a function for each digit.
var digitFuncs [1 << digitBits]func(n uint32, left int, f func())

// digitOf has the digit of a function, by its address.
var digitOf map[uintptr]uint32

func init() {
	digitFuncs = [...]func(uint32, int, func()){digit0, digit1, digit2, digit3, digit4, digit5, digit6, digit7}
	digitOf = make(map[uintptr]uint32)
	for d, f := range digitFuncs {
		digitOf[reflect.ValueOf(f).Pointer()] = uint32(d)
	}
}

//go:noinline
func digit0(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit1(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit2(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit3(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit4(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit5(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit6(n uint32, left int, f func()) { callNumbered(n, left, f) }

//go:noinline
func digit7(n uint32, left int, f func()) { callNumbered(n, left, f) }

// numberOnStack returns the number of the innermost callback that the calling goroutine
// runs, 0 when it runs none; that of overflow when its stack is too deep to be looked
// through.
func numberOnStack() uint32 {
	if callbacksRunning.Load() == 0 {
		return 0
	}
	var near [128]uintptr
	pcs := near[:]
	n := runtime.Callers(2, pcs)
	for n == len(pcs) && n < maxFrames {
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
	if n >= maxFrames {
		return maxGoroutines
	}
	return 0
}
