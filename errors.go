package palloc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/tree"
)

// An OutOfMemoryError reports that memory ran out: the operating system or a budget refused
// it, and the callbacks of OnPressure freed too little. It is a condition, not a mistake.
// Every chunk is as it was before the call, except for what those callbacks did, and the
// call may be repeated. The statistics of the requesting context may have changed: its free
// chunks may have been joined, and its free blocks released. errors.Is and errors.As find
// the errors of the callbacks, and what ended a wait: see Context.CancelWaits.
//
// PostgreSQL: the error "out of memory", SQLSTATE 53200.
type OutOfMemoryError struct {
	Op      string // the function that was called
	Context string // path of the requesting context
	Ident   string // its Ident
	Size    int    // bytes requested
	Err     error  // the error of the system, or of the budget

	LimitedBy  string // path of the context whose limit was reached, "" for none; if it is gone its name, or "(deleted)"
	LimitIdent string // its Ident
	Held       int64  // bytes of blocks that it and all contexts below it held
	Limit      int64  // its limit, in bytes
	Need       int64  // bytes of the smallest block that has room for Size

	// Reclaims are the first 32 callbacks of OnPressure that were called.
	Reclaims []Reclaim

	// Tree lists the largest holders, in at most 32 rows: LimitedBy, or Top if it is "", and
	// contexts below it. Held of a row includes the contexts below that have no row; if
	// these are many and have no budget of their own, only some hundreds of them. Blocks
	// counts the context's own. Used, Free, FreeChunks, Chunks and EmptyBlocks are not
	// counted: they are 0, and WriteText prints them so. More counts the contexts that were
	// seen and have no row: it is 0 only if all have one.
	Tree Snapshot
}

// Error returns the error in one line.
func (e *OutOfMemoryError) Error() string {
	text := fmt.Sprintf("palloc: out of memory: %s of %s in context %s: ", e.Op, budget.Bytes(int64(e.Size)), nameIn(e.Context, e.Ident))
	if e.LimitedBy != "" {
		text += fmt.Sprintf("the limit of context %s: ", nameIn(e.LimitedBy, e.LimitIdent))
	}
	return text + budget.FirstLine(e.Err) + e.holdersText() + e.reclaimsText()
}

// Unwrap returns Err.
func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// gone returns the Fault about the use of a context that does not exist.
//
//go:noinline
func (mc Context) gone(op string) *Fault { return raise(goneFault(op, mc.ref.Gone())) }

// goneFault returns the Fault about a context that does not exist.
func goneFault(op string, g *tree.Gone) *Fault {
	f := &Fault{Op: op, Context: g.Name, Reason: g.Reason, Mistake: Gone}
	_, f.Ended = g.Ended.Frames()
	return f
}

func init() { tree.Explain = explain }

// nameIn returns a path and ident as error texts show them.
func nameIn(path, ident string) string {
	if ident == "" {
		return fmt.Sprintf("%q", path)
	}
	return fmt.Sprintf("%q (%q)", path, clip(ident))
}

// maxTold is the number of holders and of callbacks that the text of an error names.
const maxTold = 3

// explain converts an error of a kind, the tree or a budget to one of the API: a *Fault for
// misuse, otherwise an *OutOfMemoryError. It reads a bounded number of contexts, and walks
// no free list. c is nil while there is no root.
func explain(c *kind.Core, op string, size uintptr, err error) error {
	err = explained(c, op, size, err)
	if f, ok := err.(*Fault); ok {
		return raise(f)
	}
	return err
}

// explained is explain without the report.
func explained(c *kind.Core, op string, size uintptr, err error) error {
	if gone, ok := err.(*tree.Gone); ok {
		return goneFault(op, gone)
	}
	if found, ok := err.(*checked.Finding); ok {
		return faultOf(op, found)
	}
	misuse, ok := err.(kind.Misuse)
	switch {
	case c == nil && ok:
		return &Fault{Op: op, Reason: string(misuse)}
	case c == nil: // the root cannot be created
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
		if owner.Live() {
			top = owner.Node()
			e.LimitedBy, e.LimitIdent = tree.PathOf(&top.Core), top.Ident()
		} else {
			e.LimitedBy = owner.LastName()
		}
	}
	e.Tree = holdersBelow(top)
	return e
}

// reclaims converts the budget's list of the callbacks that were called.
func reclaims(asked []budget.Reclaim) []Reclaim {
	list := make([]Reclaim, len(asked))
	for i, a := range asked {
		list[i] = Reclaim{a.Context, a.Ident, a.From.Place(), a.Calls, a.Need, a.Freed, a.Err, a.From.Joins()}
	}
	return list
}

// holdersText returns the largest holders as the end of a sentence, "" for none.
func (e *OutOfMemoryError) holdersText() string {
	rows := slices.Clone(e.Tree.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Held, a.Held) })
	var told []string
	for _, r := range rows {
		if r.Held > 0 {
			told = append(told, fmt.Sprintf("%s %s", nameIn(r.Name, r.Ident), budget.Bytes(r.Held)))
		}
	}
	return listText("; the memory is held by ", told)
}

// reclaimsText returns the callbacks that were called and what they freed, as the end of a
// sentence, "" for none.
func (e *OutOfMemoryError) reclaimsText() string {
	var told []string
	for i := range e.Reclaims {
		r := &e.Reclaims[i]
		text := fmt.Sprintf("that of %s, called %s, freed %s", nameIn(r.Context, r.Ident), times(r.Calls), budget.Bytes(r.Freed))
		switch {
		case r.Err != nil:
			text += ": " + budget.FirstLine(r.Err)
		case r.Freed == 0 && r.joins:
			text += " and returned no error: if it freed chunks of 8 KiB or less, it must call Compact"
		}
		told = append(told, text)
	}
	return listText("; callbacks of OnPressure: ", told)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// listText joins the first maxTold texts behind an introduction, and counts the others; ""
// for none.
func listText(intro string, list []string) string {
	switch more := len(list) - maxTold; {
	case len(list) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf("%s%s, and %d more", intro, strings.Join(list[:maxTold], ", "), more)
	}
	return intro + strings.Join(list, ", ")
}
