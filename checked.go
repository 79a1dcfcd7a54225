package palloc

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/tree"
)

// Checked contexts, which find misuse of their memory.
//
// Invariant: a context below a checked one is checked.
//
// Cost: none for contexts that are not checked, but a look into a map for each New of a type with
// pointers, once types are recorded in one. docs/SAFETY.md has what a checked one takes: some
// fifteen times as long, and some thirty times when stacks are recorded, as they are by default.

// Checked makes the new context one that finds misuse of its memory, and with it all contexts that
// are created below it. The misuse is a *Fault, which says what was done to which chunk, where that
// was allocated, and where it was freed or reset:
//
//   - Writes before or after a chunk are found when it is freed or resized, at a reset or deletion,
//     and by Check.
//   - Freed memory is filled with 0xDF and is not allocated again for a while. Writes to it are
//     found after that while, at a reset or deletion, and by Check.
//   - Memory that a reset or deletion took back cannot be accessed for a while, or is
//     filled and verified: see ExplainFaults.
//   - Memory that was allocated and not written to is filled with 0xBD.
//   - A pointer to a chunk that was freed or reset, or into one, is told from a valid one.
//   - Two goroutines that use a context at once, which is not Shared, are found by the second.
//   - A pointer in a value of New, MakeSlice, Append, Grow or Clone that leads to Go's heap, to
//     a freed chunk, or to a context below is found by Check.
//
// What is found in a deletion that the program did not call, that of a dropped context, goes to
// OnFault, or is printed if there is no function.
//
// Without arguments everything is checked. Otherwise checks are words: "checked" for everything,
// "redzone", "poison", "quarantine", "owner", "types" and "stacks" for one of it, with a minus sign
// to leave it out: Checked("-stacks") checks everything else. The word "guard" gives every chunk pages of
// its own, so that a read or write beyond the end is a page fault, as is any access after
// the free; "sample=100" does so for one chunk in a hundred. Other words are a Fault.
//
// The variable PALLOCDEBUG of the environment makes every context checked, with a list of the same
// words: PALLOCDEBUG=checked,-stacks. PALLOCDEBUG=sample=1000 alone leaves contexts as they are, and guards
// one in a thousand of the chunks that the hot paths do not allocate. With other words the program
// ends when it begins.
//
// A build with -asan makes every context checked, unless PALLOCDEBUG is set. AddressSanitizer then reports
// Go code that reads or writes beyond a chunk, or one that was freed or reset, at that line; memory
// is not protected there. It does not see the 8 bytes before a chunk, of which writes are found as
// above, nor reads of a string's bytes, and for the built-in copy it names the runtime's line.
//
// UsableSize of a checked chunk is the size requested, and Realloc moves a chunk that grows.
//
// PostgreSQL: MEMORY_CONTEXT_CHECKING, CLOBBER_FREED_MEMORY and the requests to Valgrind.
func Checked(checks ...string) Option {
	s := checked.Default()
	if len(checks) > 0 {
		var err error
		if s, err = checked.Parse(strings.Join(checks, ",")); err != nil {
			panic(raise(&Fault{Op: "Checked", Reason: err.Error()}))
		}
	}
	expectChecked(s)
	return Option{checked: &s}
}

// expectChecked readies the process for contexts with settings: their allocations take a way of their own, and
// the pointer rule tells the types of values if they are to be recorded.
func expectChecked(s checked.Settings) {
	if s.Mode != 0 {
		budget.ExpectChecked()
	}
	if s.Mode&checked.Types != 0 {
		rule.Watch()
	}
}

// IsChecked reports whether the context is checked. Any goroutine.
func (mc Context) IsChecked() bool {
	mc.check("Context.IsChecked")
	return checked.Is(mc.ref.Core.Kind())
}

// ExplainFaults makes accesses to the protected memory of checked contexts, by the calling
// goroutine, panic with a *Fault instead of ending the program:
//
//	defer palloc.ExplainFaults()()
//
// The function that it returns must be deferred like that. It passes on every other panic.
// On s390x the Fault names a chunk of the page, since a page fault tells no more there.
//
// PostgreSQL has none: there such an access ends the server process.
func ExplainFaults() (explain func()) {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			if f := faultAt(r); f != nil {
				panic(raise(f))
			}
			panic(r)
		}
	}
}

// AsFault returns the Fault that a recovered panic is about: the panic itself, or, for a page
// fault, that in protected memory of a checked context. It returns nil for every other panic.
// The runtime panics for a page fault only after debug.SetPanicOnFault, or in ExplainFaults.
func AsFault(recovered any) *Fault {
	if f, ok := recovered.(*Fault); ok {
		return f
	}
	return faultAt(recovered)
}

// faultAt returns the Fault about a page fault, nil if that was not in memory of a checked context.
func faultAt(recovered any) *Fault {
	r, ok := recovered.(runtime.Error)
	if !ok {
		return nil
	}
	at, ok := r.(interface{ Addr() uintptr })
	if !ok {
		return nil
	}
	x := checked.ExplainAccess(at.Addr())
	if x == nil {
		return nil
	}
	var pcs [64]uintptr
	_, call := checked.Split(pcs[:runtime.Callers(2, pcs[:])])
	for i, frame := range call {
		if frame.Function == "runtime.sigpanic" {
			call = call[i+1:]
			break
		}
	}
	f := faultOf("access", x)
	f.Call = call
	return f
}

func init() {
	tree.Afterwards = raisePending
	checked.Exempt = func(t reflect.Type) bool {
		return t == reflect.TypeFor[tree.Ref]() || rule.IsAllowed(t) // a Ref leads to a node, which stays
	}
	expectChecked(checked.Environment)
	if s := checked.Environment; s.Mode == 0 && s.Sample != 0 {
		budget.Sample(s.Sample)
	}
	if err := checked.EnvironmentError; err != nil {
		fmt.Fprintln(os.Stderr, "palloc:", err)
		os.Exit(2)
	}
}
