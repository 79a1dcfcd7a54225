package palloc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
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
// a budget allowed no more, and the callbacks of OnPressure freed no more. It is the
// condition, not a mistake; every chunk is as it was before the call, but for what those
// callbacks did, and the call may be tried again. The statistics of the context that
// asked may have changed: its free chunks may have been joined, and its free blocks
// given back. errors.Is and errors.As find the errors of the callbacks, and what ended a
// wait: see Context.CancelWaits.
//
// PostgreSQL: the error "out of memory", SQLSTATE 53200.
type OutOfMemoryError struct {
	Op      string // what was called
	Context string // path of the context that asked
	Ident   string // its ident
	Size    int    // bytes asked for
	Err     error  // what the system said, or the budget

	LimitedBy  string // path of the context whose limit refused, "" where none did
	LimitIdent string // its ident
	Held       int64  // bytes that it and all below it held
	Limit      int64  // its limit
	Need       int64  // bytes that were missing from it: of the smallest block that has room for Size

	// Reclaims are the callbacks of OnPressure that were asked, the first 32.
	Reclaims []Reclaim

	// Tree is who held memory then: LimitedBy, or Top, and the largest of the contexts
	// below it, at most 32 rows. The Total of a row is what the context holds with
	// those below it that have no row; where these are many and have no budget of their
	// own, as far as some hundreds of them tell. Blocks are the context's own, and nothing
	// else is told. More is not 0 when contexts have no row; it counts what was seen of
	// them.
	Tree Snapshot
}

// Error is the one-line text of the error.
func (e *OutOfMemoryError) Error() string {
	text := fmt.Sprintf("palloc: out of memory: %s of %s in context %s: ", e.Op, budget.Bytes(int64(e.Size)), nameIn(e.Context, e.Ident))
	if e.LimitedBy != "" {
		text += fmt.Sprintf("the limit of context %s: ", nameIn(e.LimitedBy, e.LimitIdent))
	}
	return text + budget.FirstLine(e.Err) + e.holdersText() + e.reclaimsText()
}

// Unwrap is the reason.
func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// gone returns the fault of using a context that does not exist.
func (mc Context) gone(op string) *Fault {
	g := mc.ref.Gone()
	return &Fault{Op: op, Context: g.Name, Reason: g.Reason}
}

func init() { tree.Explain = explain }

// raise panics with what a kind answered.
func raise(c *kind.Core, op string, size uintptr, err error) {
	panic(explain(c, op, size, err))
}

// nameIn returns a context as texts name it.
func nameIn(path, ident string) string {
	if ident == "" {
		return fmt.Sprintf("%q", path)
	}
	return fmt.Sprintf("%q (%q)", path, clip(ident))
}

// maxTold is the number of holders and callbacks that the text names.
const maxTold = 3

// explain turns what a kind, the tree or a budget returned into the error that callers see:
// a *Fault for misuse, an *OutOfMemoryError for the rest. It looks at a bounded number of
// contexts, and walks no free list.
func explain(c *kind.Core, op string, size uintptr, err error) error {
	if gone, ok := err.(*tree.Gone); ok {
		return &Fault{Op: op, Context: gone.Name, Reason: gone.Reason}
	}
	misuse, ok := err.(kind.Misuse)
	switch {
	case c == nil && ok:
		return &Fault{Op: op, Reason: string(misuse)}
	case c == nil: // the root cannot be made
		return &OutOfMemoryError{Op: op, Context: "Top", Size: int(size), Err: err}
	}
	root := tree.Root().Node()
	tree.Lock()
	defer tree.Unlock()
	if ok {
		return (&Fault{Op: op, Reason: string(misuse)}).in(c)
	}
	e := &OutOfMemoryError{Op: op, Context: tree.PathOf(c), Ident: kind.Slot[tree.Node](c.Owner()).Ident(), Size: int(size), Err: err}
	top := root
	var short *budget.LimitError
	if errors.As(err, &short) {
		e.Held, e.Limit, e.Need, e.Reclaims = short.Held, short.Limit, short.More, reclaims(short.Reclaims)
		owner := short.Owner()
		e.LimitedBy = owner.Node().Name()
		if owner.Live() {
			top = owner.Node()
			e.LimitedBy, e.LimitIdent = tree.PathOf(&top.Core), top.Ident()
		}
	}
	e.Tree = holdersBelow(top)
	return e
}

// reclaims returns what callbacks were asked, and what they did.
func reclaims(asked []budget.Reclaim) []Reclaim {
	list := make([]Reclaim, len(asked))
	for i, a := range asked {
		list[i] = Reclaim{a.Context, a.Ident, a.From.Place(), a.Calls, a.Need, a.Freed, a.Err, a.From.IsAllocSet()}
	}
	return list
}

// holdersText returns who holds most.
func (e *OutOfMemoryError) holdersText() string {
	rows := slices.Clone(e.Tree.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Held, a.Held) })
	var told []string
	for _, r := range rows {
		if r.Held > 0 {
			told = append(told, fmt.Sprintf("%s %s", nameIn(r.Name, r.Ident), budget.Bytes(r.Held)))
		}
	}
	if len(told) == 0 {
		return ""
	}
	return "; it is held by " + listText(told)
}

// reclaimsText returns which callbacks were asked, and what came of that.
func (e *OutOfMemoryError) reclaimsText() string {
	var told []string
	for i := range e.Reclaims {
		r := &e.Reclaims[i]
		text := fmt.Sprintf("that of %s, asked %s, gave back %s", nameIn(r.Context, r.Ident), times(r.Calls), budget.Bytes(r.Freed))
		switch {
		case r.Err != nil:
			text += ": " + budget.FirstLine(r.Err)
		case r.Freed == 0 && r.allocSet:
			text += " and no error: if it freed chunks of 8 KiB or less, it must call Compact"
		}
		told = append(told, text)
	}
	if len(told) == 0 {
		return ""
	}
	return "; of the callbacks of OnPressure " + listText(told)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// listText returns the first of a list.
func listText(list []string) string {
	if more := len(list) - maxTold; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(list[:maxTold], ", "), more)
	}
	return strings.Join(list, ", ")
}
