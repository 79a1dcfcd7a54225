package palloc

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Faults on their way to the program: where the call was, and who else is told.
//
// Invariant: every Fault passes raise before a function panics with it. No lock is held then.
//
// Cost: a walk over the stack.

// A Fault is a misuse of palloc. The function that was misused panics with it: for example a
// free of a pointer to no chunk, the use of a deleted context, a negative size. It is a
// mistake in the program, like an index out of range. The memory of all contexts is as it
// was before the call, but for what a checked context found. See also OnFault.
type Fault struct {
	Op      string          // the function that was called: "Context.Alloc", "FreeSlice"; "access" for none
	Reason  string          // what is wrong, and what to do
	Context string          // path of the context concerned, "" if unknown
	Address uintptr         // the pointer passed, 0 for none
	Ident   string          // the context's Ident
	Kind    Kind            // the context's kind, 0 if unknown
	Mistake Mistake         // what kind of misuse it is
	Call    []runtime.Frame // where the program called Op, the innermost frame first

	// What a checked context knows. Frames are those of the program, the innermost first.
	Chunk uintptr         // where the chunk concerned begins, 0 for none
	Size  int             // bytes that were requested for it
	From  uintptr         // the first byte that was written to, or the address that was passed
	Bytes int             // number of bytes from the first to the last that was written to
	Made  []runtime.Frame // where the chunk was allocated
	Ended []runtime.Frame // where it was freed, moved, or its context reset or deleted
	Other []runtime.Frame // where another goroutine was
}

// Error returns the fault in one line.
func (f *Fault) Error() string {
	text := "palloc: " + f.Op
	if f.Address != 0 {
		text += fmt.Sprintf("(%#x)", f.Address)
	}
	text += ": " + f.Reason
	switch {
	case f.Context != "" && f.Ident != "":
		text += fmt.Sprintf(" (context %q, ident %q)", f.Context, f.Ident)
	case f.Context != "":
		text += fmt.Sprintf(" (context %q)", f.Context)
	}
	return text
}

// A Mistake is the kind of misuse that a Fault is about.
type Mistake uint8

// The mistakes. An ordinary context finds the first four, Gone, and an Overflow of a block's head; the
// others are found by checked contexts only.
const (
	Misuse         = Mistake(checked.Other)          // anything else: a negative size, a nil function
	DoubleFree     = Mistake(checked.DoubleFree)     // the chunk had been freed
	BadPointer     = Mistake(checked.Interior)       // the pointer does not lead to the start of a chunk
	StalePointer   = Mistake(checked.Stale)          // the chunk ended with a reset or deletion of its context
	Overflow       = Mistake(checked.Overflow)       // bytes behind a chunk were written to
	Underflow      = Mistake(checked.Underflow)      // bytes before a chunk were written to
	WriteAfterFree = Mistake(checked.WriteAfterFree) // a chunk was written to after it had ended
	AccessAfterEnd = Mistake(checked.AccessAfterEnd) // protected memory was accessed: see ExplainFaults; or a Text, Ref or Vec of ended memory
	TwoGoroutines  = Mistake(checked.TwoGoroutines)  // two goroutines used a context that is not Shared
	WrongPointer   = Mistake(checked.WrongPointer)   // a pointer in a context leads to memory that ends before
	Gone           = Mistake(checked.Gone)           // the context was deleted
)

var mistakes = [...]string{
	Misuse: "misuse", DoubleFree: "double free", BadPointer: "bad pointer", StalePointer: "stale pointer",
	Overflow: "overflow", Underflow: "underflow", WriteAfterFree: "write after free", AccessAfterEnd: "access after end",
	TwoGoroutines: "two goroutines", WrongPointer: "wrong pointer", Gone: "context gone",
}

// String returns the mistake in words.
func (m Mistake) String() string { return mistakes[m] }

// observers are the functions of OnFault.
var observers struct {
	sync.Mutex
	list atomic.Pointer[[]*func(*Fault)]
}

// OnFault registers a function that is called with each Fault before a function panics with
// it, and with those that have no caller to panic in: see Checked. It is called in the
// goroutine at fault, with no lock held; it may use contexts, but not the one concerned. stop
// removes it. Any goroutine; stop too.
//
// PostgreSQL has none: its checking builds print a warning, or abort.
func OnFault(report func(*Fault)) (stop func()) {
	if report == nil {
		panic(raise(&Fault{Op: "OnFault", Reason: "the function is nil"}))
	}
	at := &report
	change(func(list []*func(*Fault)) []*func(*Fault) { return append(list, at) })
	return func() {
		change(func(list []*func(*Fault)) []*func(*Fault) {
			return slices.DeleteFunc(list, func(f *func(*Fault)) bool { return f == at })
		})
	}
}

// change replaces the list of observers by a changed copy.
func change(by func([]*func(*Fault)) []*func(*Fault)) {
	observers.Lock()
	defer observers.Unlock()
	var list []*func(*Fault)
	if p := observers.list.Load(); p != nil {
		list = slices.Clone(*p)
	}
	list = by(list)
	observers.list.Store(&list)
}

// raise completes a Fault by what the stack tells, tells the observers, and returns it. The
// caller panics with it.
func raise(f *Fault) *Fault {
	if f.Call == nil {
		var pcs [64]uintptr
		op, call := checked.Split(pcs[:runtime.Callers(2, pcs[:])])
		f.Call = call
		if f.Op == "" || f.Op == "Free" && op != "" {
			f.Op = op
		}
	}
	tell(f)
	return f
}

// tell calls the observers, and reports whether there is one.
func tell(f *Fault) bool {
	p := observers.list.Load()
	if p == nil {
		return false
	}
	for _, report := range *p {
		(*report)(f)
	}
	return len(*p) > 0
}

// in sets the context that the Fault is about, by its node. The caller holds the tree's
// lock.
func (f *Fault) in(c *kind.Core) *Fault {
	c = c.Owner()
	f.Context = tree.PathOf(c)
	if id := c.Kind(); id != kind.None {
		f.Kind, f.Ident = kindIn(relaxed.Load64(&c.Epoch)), kind.Slot[tree.Node](c).Ident()
	}
	return f
}

// faultOf returns the Fault about what a checked context found.
func faultOf(op string, x *checked.Finding) *Fault {
	tree.Lock()
	defer tree.Unlock()
	f := &Fault{
		Op: op, Mistake: Mistake(x.Mistake), Reason: x.Text, Context: x.Name,
		Chunk: x.Chunk, Size: int(x.Size), From: x.From, Bytes: int(x.Bytes),
	}
	if x.Op != "" {
		f.Op = x.Op
	}
	_, f.Made = x.Made.Frames()
	_, f.Ended = x.Ended.Frames()
	_, f.Other = x.Other.Frames()
	if c := x.Core; c != nil {
		if now := relaxed.Load64(&c.Epoch); kind.KindOf(now) != kind.None && (x.Epoch == 0 || x.Epoch == now) {
			f.in(c)
		}
	}
	return f
}

// raisePending panics with the first finding of which no caller was told, after the observers were
// told of all.
func raisePending() {
	var first *Fault
	for _, x := range checked.Pending() {
		f := raise(faultOf("", x))
		if first == nil {
			first = f
		}
	}
	if first != nil {
		panic(first)
	}
}

// reportPending tells the observers of such findings, or prints them, where there is no caller:
// in the deletion of a dropped context.
func reportPending() {
	for _, x := range checked.Pending() {
		if f := faultOf("", x); !tell(f) {
			fmt.Fprintln(os.Stderr, f)
		}
	}
}
