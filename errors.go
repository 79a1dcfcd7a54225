package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
)

// Fault is what palloc panics with when it is misused: a pointer that is not a
// chunk's is freed, a context is used after its deletion, a size is negative.
// It is a mistake in the program, like an index out of range. The memory of all
// contexts is as it was before the call.
type Fault struct {
	Op      string  // what was called: "Free", "Context.Alloc", ...
	Reason  string  // what is wrong, and what to do
	Context string  // path of the context concerned, "" where none is known
	Address uintptr // the pointer given, 0 where there is none
	Ident   string  // what SetIdent said of the context, "" for nothing
	Kind    Kind    // of the context, 0 where none is known
}

// Error is the one-line text of the fault.
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

// OutOfMemoryError says that memory ran out: the operating system gave no more, or
// a budget allowed no more. It is the condition, not a mistake; the contexts are as
// they were before the call, and the call may be tried again.
//
// PostgreSQL: the error "out of memory", SQLSTATE 53200.
type OutOfMemoryError struct {
	Op      string // what was called
	Context string // path of the context that asked
	Size    int    // bytes asked for
	Err     error  // what the system said, or the budget

	LimitedBy string // path of the context whose limit refused, "" where none did
	Held      int64  // bytes that it and all below it held
	Limit     int64  // its limit

	// Tree is what held memory then: the contexts below LimitedBy, or all of them, the
	// first few thousand at most. Where that takes more than a millisecond to find out,
	// and memory runs out again and again, it is of a moment ago, as its Time says.
	Tree Snapshot
}

// Error is the one-line text of the error.
func (e *OutOfMemoryError) Error() string {
	text := fmt.Sprintf("palloc: out of memory: %s of %d bytes in context %q: ", e.Op, e.Size, e.Context)
	if e.LimitedBy != "" {
		text += fmt.Sprintf("the limit of context %q: ", e.LimitedBy)
	}
	return text + e.Err.Error()
}

// Unwrap is the reason.
func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// gone is the fault of using a context that does not exist.
func (mc Context) gone(op string) *Fault {
	if mc.core == nil {
		return &Fault{Op: op, Reason: "the zero Context is no context: create one with NewAllocSet or its kin"}
	}
	tree.Lock()
	defer tree.Unlock()
	last := mc.slot().nameText()
	if handle(mc.core).epoch == kind.NextEpoch(mc.epoch, kind.None) {
		return &Fault{Op: op, Context: last, Reason: "the context was deleted"}
	}
	return &Fault{Op: op, Reason: "the context was deleted long ago, and its core serves another one"}
}

// raise panics with what a kind answered.
func raise(c *kind.Core, op string, size uintptr, err error) {
	panic(explain(c, op, size, err))
}

// explain makes a kind's answer into the error that callers see: a *Fault for
// misuse, an *OutOfMemoryError for the rest.
func explain(c *kind.Core, op string, size uintptr, err error) error {
	tree.Lock()
	defer tree.Unlock()
	if misuse, ok := err.(kind.Misuse); ok {
		return (&Fault{Op: op, Reason: string(misuse)}).in(c)
	}
	e := &OutOfMemoryError{Op: op, Context: pathOf(c), Size: int(size), Err: err}
	top := coreAt(rootIndex)
	if short, ok := err.(*shortage); ok {
		top = short.account.owner.slot()
		e.LimitedBy, e.Held, e.Limit = pathOf(&top.Core), short.held, short.bound
	}
	e.Tree = recentSnapshot(top)
	return e
}
