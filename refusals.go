package palloc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// What a refusal tells: who asked, whose limit it was, who holds the memory, and what
// was done to free some.
//
// Invariant: a refusal looks at a bounded number of contexts, whatever the size of the
// tree, and walks no free list. What it tells is its own.
//
// Cost: some microseconds.

// shortage is the error of a block that a budget does not allow.
type shortage struct {
	account *account
	held    int64 // by the account
	more    int64 // what was to be bought
	bound   int64 // the limit that it would have passed
	soft    bool  // that is the soft one
	asked   []Reclaim
	why     error // that nobody was asked or waited for any more, nil: all were asked
}

func (s *shortage) Error() string {
	text := fmt.Sprintf("%s more, blocks rounded up, than the %s that are held would pass the limit of %s",
		inBytes(s.more), inBytes(s.held), inBytes(s.bound))
	if s.why != nil {
		text += "; " + firstLine(s.why)
	}
	return text
}

// Unwrap are the errors of the callbacks, and why they were not asked any more.
func (s *shortage) Unwrap() (all []error) {
	if s.why != nil {
		all = append(all, s.why)
	}
	for i := range s.asked {
		if err := s.asked[i].Err; err != nil {
			all = append(all, err)
		}
	}
	return all
}

// inBytes is a number of bytes, in larger units besides.
func inBytes(n int64) string {
	text := fmt.Sprintf("%d bytes", n)
	units := [...]string{"KiB", "MiB", "GiB", "TiB"}
	for i := len(units) - 1; i >= 0; i-- {
		if unit := int64(1) << (10 * (i + 1)); n >= unit {
			return fmt.Sprintf("%s (%.4g %s)", text, float64(n)/float64(unit), units[i])
		}
	}
	return text
}

// firstLine is the error's text up to the stack of a panic.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// nameIn is a context as texts name it.
func nameIn(path, ident string) string {
	if ident == "" {
		return fmt.Sprintf("%q", path)
	}
	return fmt.Sprintf("%q (%q)", path, clip(ident))
}

// mostTold is how many holders and callbacks the text names.
const mostTold = 3

// explain makes a kind's answer into the error that callers see: a *Fault for
// misuse, an *OutOfMemoryError for the rest.
func explain(c *kind.Core, op string, size uintptr, err error) error {
	tree.Lock()
	defer tree.Unlock()
	if misuse, ok := err.(kind.Misuse); ok {
		return (&Fault{Op: op, Reason: string(misuse)}).in(c)
	}
	e := &OutOfMemoryError{Op: op, Context: pathOf(c), Ident: kind.Slot[core](c.Owner()).ident(), Size: int(size), Err: err}
	top := coreAt(rootIndex)
	var short *shortage
	if errors.As(err, &short) {
		e.Held, e.Limit, e.Need, e.Reclaims = short.held, short.bound, short.more, slices.Clone(short.asked)
		for i := range e.Reclaims {
			e.Reclaims[i].Place = e.Reclaims[i].of.place.line()
		}
		owner := short.account.owner
		e.LimitedBy = owner.slot().nameText()
		if owner.Live() {
			top = owner.slot()
			e.LimitedBy, e.LimitIdent = pathOf(&top.Core), top.ident()
		}
	}
	e.Tree = holdersBelow(top)
	return e
}

// holdersText says who holds most.
func (e *OutOfMemoryError) holdersText() string {
	rows := slices.Clone(e.Tree.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Total, a.Total) })
	var told []string
	for _, r := range rows {
		if r.Total > 0 {
			told = append(told, fmt.Sprintf("%s %s", nameIn(r.Name, r.Ident), inBytes(r.Total)))
		}
	}
	if len(told) == 0 {
		return ""
	}
	return "; it is held by " + listText(told)
}

// reclaimsText says which callbacks were asked, and what came of that.
func (e *OutOfMemoryError) reclaimsText() string {
	var told []string
	for i := range e.Reclaims {
		r := &e.Reclaims[i]
		text := fmt.Sprintf("that of %s, asked %s, gave back %s", nameIn(r.Context, r.Ident), times(r.Calls), inBytes(r.Freed))
		switch {
		case r.Err != nil:
			text += ": " + firstLine(r.Err)
		case r.Freed == 0 && r.of != nil && kinds.Traits(kind.KindOf(r.of.owner.epoch)).Joins: // of is nil in what a program made up
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

// listText is the first of a list.
func listText(list []string) string {
	if more := len(list) - mostTold; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(list[:mostTold], ", "), more)
	}
	return strings.Join(list, ", ")
}
