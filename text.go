package palloc

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// The tree of contexts as PostgreSQL prints it: a line for each context, indented by its
// level, and a grand total.
//
// Invariant: every context has a line of its own or is counted in a line "more child
// contexts", so that the lines add up to the grand total.

// Bounds of a printed tree, those of PostgreSQL.
const (
	maxLevels   = 100 // shown below the top
	maxChildren = 100 // shown of one parent; one line sums up the others
	maxIdent    = 100 // bytes shown of an ident
)

// WriteStats writes the statistics of the context and of all contexts below it in
// PostgreSQL's text form. Contexts more than 100 levels below it, and children beyond the
// first 100 of one parent, are summed up, in one line for each parent. The error is w's.
// Any goroutine.
//
// PostgreSQL: MemoryContextStats.
func (mc Context) WriteStats(w io.Writer) error {
	return mc.snapshot("Context.WriteStats").WriteText(w, maxLevels, maxChildren)
}

// WriteStatsDetail works as WriteStats does, with other bounds: the number of levels below the
// context, and of children of one parent. With 0 only the sums are written. A negative
// bound is a Fault. Any goroutine.
//
// PostgreSQL: MemoryContextStatsDetail.
func (mc Context) WriteStatsDetail(w io.Writer, levels, children int) error {
	if levels < 0 || children < 0 {
		panic(raise(&Fault{Op: "Context.WriteStatsDetail", Reason: fmt.Sprintf("bounds of %d levels and %d children: they must be at least 0", levels, children)}))
	}
	return mc.snapshot("Context.WriteStatsDetail").WriteText(w, levels, children)
}

// WriteText writes the snapshot in PostgreSQL's text form, with the bounds of
// Context.WriteStatsDetail. The error is w's.
func (s Snapshot) WriteText(w io.Writer, levels, children int) error {
	return s.write(w, &treePrinter{levels: levels, maxChildren: children})
}

// WriteLog writes the snapshot as PostgreSQL logs it: each line begins with its level and
// is not indented. The error is w's.
//
// PostgreSQL: pg_log_backend_memory_contexts.
func (s Snapshot) WriteLog(w io.Writer) error {
	return s.write(w, &treePrinter{levels: maxLevels, maxChildren: maxChildren, log: true})
}

func (s Snapshot) write(w io.Writer, t *treePrinter) error {
	t.out = bufio.NewWriter(w)
	for i := range s.Rows {
		t.print(&s.Rows[i])
	}
	t.finish()
	return t.out.Flush()
}

// A treePrinter prints rows one by one.
type treePrinter struct {
	out         *bufio.Writer
	levels      int // shown below the top
	maxChildren int
	log         bool // the form of WriteLog

	total    Stats
	children []int // shown so far, by level
	hidden   []hidden
	level    int // of the last row that was not hidden
	below    int // rows of a greater level are hidden; 0 for none
}

// hidden sums up the children of one parent that have no line.
type hidden struct {
	count int
	stats Stats
}

func (t *treePrinter) print(r *Row) {
	t.total = t.total.add(r.Stats)
	if t.below > 0 && r.Level > t.below {
		t.hide(t.below, r.Stats)
		return
	}
	t.below = 0
	t.leave(r.Level)
	for len(t.children) <= r.Level {
		t.children, t.hidden = append(t.children, 0), append(t.hidden, hidden{})
	}
	t.children[r.Level]++
	if r.Level > 1 && (t.children[r.Level] > t.maxChildren || r.Level-1 > t.levels) {
		t.below = r.Level
		t.hide(r.Level, r.Stats)
		return
	}
	t.line(r.Level, r.String())
}

// line prints a line about one context, or about several children of one.
func (t *treePrinter) line(level int, text string) {
	if t.log {
		fmt.Fprintf(t.out, "level: %d; %s\n", level, text)
		return
	}
	fmt.Fprintf(t.out, "%*s%s\n", 2*(level-1), "", text)
}

func (t *treePrinter) hide(level int, s Stats) {
	h := &t.hidden[level]
	h.count++
	h.stats = h.stats.add(s)
}

// leave closes the levels deeper than level.
func (t *treePrinter) leave(level int) {
	for l := t.level; l > level; l-- {
		t.close(l)
	}
	t.level = level
}

// close prints the line of the hidden contexts of a level, if there are any. WriteLog gives
// it their parent's level, as PostgreSQL does.
func (t *treePrinter) close(level int) {
	if h := t.hidden[level]; h.count > 0 {
		at := level
		if t.log {
			at--
		}
		t.line(at, fmt.Sprintf("%d more child contexts containing %d total in %d blocks; %d free (%d chunks); %d used",
			h.count, h.stats.Held, h.stats.Blocks, h.stats.Free, h.stats.FreeChunks, h.stats.Used))
	}
	t.hidden[level], t.children[level] = hidden{}, 0
}

func (t *treePrinter) finish() {
	t.leave(0)
	fmt.Fprintf(t.out, "Grand total: %d bytes in %d blocks; %d free (%d chunks); %d used\n",
		t.total.Held, t.total.Blocks, t.total.Free, t.total.FreeChunks, t.total.Used)
}

// String returns PostgreSQL's line about the context, without its indentation.
func (r *Row) String() string {
	name, ident := r.Name, r.Ident
	if name == "dynahash" && ident != "" { // the name of every hash table in PostgreSQL
		name, ident = ident, ""
	}
	line := visible(name) + ": " + r.figures()
	if ident != "" {
		line += ": " + clip(ident)
	}
	return line
}

// figures returns the statistics in PostgreSQL's form, with those that only some kinds
// count.
func (r *Row) figures() string {
	var chunks, empty, freed string
	traits := kinds.Traits(kind.ID(r.Kind))
	if traits.CountsChunks {
		chunks = fmt.Sprintf(" (%d chunks)", r.Chunks)
	}
	if traits.CountsEmpty {
		empty = fmt.Sprintf(" %d empty blocks;", r.EmptyBlocks)
	}
	if r.Kind.Frees() {
		freed = fmt.Sprintf(" (%d chunks)", r.FreeChunks)
	}
	return fmt.Sprintf("%d total in %d blocks%s;%s %d free%s; %d used", r.Held, r.Blocks, chunks, empty, r.Free, freed, r.Used)
}

// clip makes an ident fit in a line: it cuts it between two characters, replaces control
// characters below ' ' by blanks, as PostgreSQL does, and makes the others visible.
func clip(ident string) string {
	more := ""
	if len(ident) > maxIdent {
		cut := maxIdent
		for cut > maxIdent-utf8.UTFMax && !utf8.RuneStart(ident[cut]) {
			cut--
		}
		ident, more = ident[:cut], "..."
	}
	b := []byte(ident)
	for i := range b {
		if b[i] < ' ' {
			b[i] = ' '
		}
	}
	return visible(string(b)) + more
}

// visible escapes, as %q does, what breaks a line, moves the cursor or is not UTF-8.
func visible(text string) string {
	if !strings.ContainsFunc(text, hides) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case hides(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hides reports whether a character does not print as itself: control characters,
// separators of lines and paragraphs, characters that change the direction of writing, and
// the replacement character, as which invalid UTF-8 is decoded.
func hides(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r <= 0x9f, r == utf8.RuneError:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x2069, r == 0xfeff:
		return true
	}
	return false
}
