package palloc

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/generation"
)

// The tree of contexts as PostgreSQL prints it: a line a context, indented by
// its level, and a grand total.
//
// Invariant: every context is in a line of its own or counted in a line "more
// child contexts", so that the lines sum up to the grand total.

// Bounds of a printed tree, PostgreSQL's own.
const (
	mostLevels   = 101 // the top is the first; PostgreSQL's 100 counts those below it
	mostChildren = 100 // shown of one parent; the others share a line
	mostIdent    = 100 // bytes shown of an ident
)

// row is one context of a walk, parents first.
type row struct {
	level       int // 1 for the top of the walk
	kind        kind.ID
	name, ident string
	stats       kind.Stats
	chunks      uint32 // Generation: live ones, and freed ones whose block is not empty
}

// WriteStats writes the accounts of the context and of all below it in
// PostgreSQL's text form. Contexts more than 100 levels below it, and children
// beyond the hundredth of one parent, are summed up in a line. Any goroutine.
//
// PostgreSQL: MemoryContextStats.
func (mc Context) WriteStats(w io.Writer) error {
	out := bufio.NewWriter(w)
	printer := treePrinter{out: out}
	for _, r := range mc.rows() {
		printer.print(r)
	}
	printer.finish()
	return out.Flush()
}

// rows reads the subtree at one moment of the tree.
func (mc Context) rows() (rows []row) {
	defer mc.lock("Context.WriteStats").unlock()
	top := mc.slot()
	level := 1
	for s := top; s != nil; {
		if c := handle(&s.Core); c.owned() { // not deleted since it came by
			rows = append(rows, row{level, kind.KindOf(c.epoch), s.nameText(), s.ident(), c.stats(), c.chunks()})
		}
		next := s.after(top)
		level += levelStep(s, next)
		s = next
	}
	return rows
}

// chunks is how many a Generation has: its line says so, as PostgreSQL's does.
func (mc Context) chunks() uint32 {
	if kind.KindOf(mc.epoch) != kind.Generation {
		return 0
	}
	return generation.Chunks(mc.core)
}

// levelStep is how much deeper next lies than s, which it follows in a walk.
func levelStep(s, next *core) int {
	if next == nil || next.parent == s.Number() {
		return 1
	}
	step := 0
	for s.parent != next.parent {
		s = coreAt(s.parent)
		step--
	}
	return step
}

// treePrinter prints rows one by one.
type treePrinter struct {
	out      *bufio.Writer
	total    Stats
	children [mostLevels + 2]int // shown so far, by level
	hidden   [mostLevels + 2]hidden
	level    int // of the last row that was not hidden
	below    int // rows of a greater level are hidden, 0 when none are
}

// hidden sums up the children of one parent that are not shown.
type hidden struct {
	count int
	stats Stats
}

func (t *treePrinter) print(r row) {
	stats := public(r.stats)
	t.total = t.total.add(stats)
	if t.below > 0 && r.level > t.below {
		t.hide(t.below, stats)
		return
	}
	t.below = 0
	t.leave(r.level)
	t.children[r.level]++
	if t.children[r.level] > mostChildren || r.level > mostLevels {
		t.below = r.level
		t.hide(r.level, stats)
		return
	}
	fmt.Fprintf(t.out, "%*s%s\n", 2*(r.level-1), "", r)
}

func (t *treePrinter) hide(level int, s Stats) {
	h := &t.hidden[level]
	h.count++
	h.stats = h.stats.add(s)
}

// leave closes the levels deeper than level: their hidden contexts get a line.
func (t *treePrinter) leave(level int) {
	for l := t.level; l > level; l-- {
		t.close(l)
	}
	t.level = level
}

func (t *treePrinter) close(level int) {
	if h := t.hidden[level]; h.count > 0 {
		fmt.Fprintf(t.out, "%*s%d more child contexts containing %d total in %d blocks; %d free (%d chunks); %d used\n",
			2*(level-1), "", h.count, h.stats.Total, h.stats.Blocks, h.stats.Free, h.stats.FreeChunks, h.stats.Used)
	}
	t.hidden[level], t.children[level] = hidden{}, 0
}

func (t *treePrinter) finish() {
	t.leave(0)
	fmt.Fprintf(t.out, "Grand total: %d bytes in %d blocks; %d free (%d chunks); %d used\n",
		t.total.Total, t.total.Blocks, t.total.Free, t.total.FreeChunks, t.total.Used)
}

// String is the line of a context without its indentation.
func (r row) String() string {
	name, ident := r.name, r.ident
	if name == "dynahash" && ident != "" { // the name of every hash table in PostgreSQL
		name, ident = ident, ""
	}
	line := name + ": " + r.figures()
	if ident != "" {
		line += ": " + clip(ident)
	}
	return line
}

func (r row) figures() string {
	s := r.stats
	switch r.kind {
	case kind.Generation:
		return fmt.Sprintf("%d total in %d blocks (%d chunks); %d free (%d chunks); %d used",
			s.Total, s.Blocks, r.chunks, s.Free, s.FreeChunks, s.Used())
	case kind.Slab:
		return fmt.Sprintf("%d total in %d blocks; %d empty blocks; %d free (%d chunks); %d used",
			s.Total, s.Blocks, s.Empties, s.Free, s.FreeChunks, s.Used())
	case kind.Bump:
		return fmt.Sprintf("%d total in %d blocks; %d free; %d used", s.Total, s.Blocks, s.Free, s.Used())
	}
	return fmt.Sprintf("%d total in %d blocks; %d free (%d chunks); %d used",
		s.Total, s.Blocks, s.Free, s.FreeChunks, s.Used())
}

// clip makes an ident fit for a line: no control characters, and cut between
// two characters.
func clip(ident string) string {
	more := ""
	if len(ident) > mostIdent {
		cut := mostIdent
		for cut > 0 && !utf8.RuneStart(ident[cut]) {
			cut--
		}
		ident, more = ident[:cut], "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, ident) + more
}
