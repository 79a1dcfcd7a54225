// Package draw makes pictures (SVG) of contexts: of their tree, of the links of one, and of the
// blocks of one with the chunks in them.
//
//	err := draw.Tree(file, palloc.TakeSnapshot(palloc.Top()), 0)
//
// A picture is a function of a value, a palloc.Snapshot or a palloc.Layout, which may come from the
// running program, from JSON, or from a replay: 'palloc draw' of cmd/palloc does the last two. The
// same value makes the same bytes, on every machine.
//
// It holds: canvas.go, which writes SVG; style.go, the colors; fold.go, which makes a large tree a
// small one; and a file for each picture.
//
// Invariant: a picture is one well-formed XML document without scripts, links or fonts of its own.
// It is light or dark as the reader's system is, its text can be selected, and a screen reader reads
// its title and description. Names are escaped. A value that contradicts itself is an error, and
// then nothing is written.
//
// Cost: a few hundred bytes for each box; the document is in memory before it is written.
//
// PostgreSQL has none.
package draw

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc"
)

// most is the largest figure that is believed, in bytes or in numbers.
const most = 1 << 56

// check returns an error if the rows of a snapshot contradict each other.
func check(s palloc.Snapshot) error {
	if len(s.Rows) == 0 {
		return fmt.Errorf("draw: the snapshot has no rows")
	}
	levels := make(map[int]int, len(s.Rows)) // by ID
	for i := range s.Rows {
		r := &s.Rows[i]
		parent, known := levels[r.Parent]
		switch _, again := levels[r.ID]; {
		case r.ID <= 0 || again:
			return fmt.Errorf("draw: row %d has the ID %d, which must be above 0 and its own", i, r.ID)
		case i == 0 && (r.Parent != 0 || r.Level != 1):
			return fmt.Errorf("draw: the first row has the parent %d and the level %d; it is the top, with 0 and 1", r.Parent, r.Level)
		case i > 0 && (!known || r.Level != parent+1):
			return fmt.Errorf("draw: row %d is on level %d below the ID %d, which no row before it has on the level above", i, r.Level, r.Parent)
		}
		for _, n := range []int64{r.Held, r.Blocks, r.Free, r.FreeChunks, r.Used} {
			if n < 0 || n > most {
				return fmt.Errorf("draw: row %d has a figure of %d", i, n)
			}
		}
		levels[r.ID] = r.Level
	}
	return nil
}

// add returns the sum of two figures of at least 0, or the largest number if there is none.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// size returns a number of bytes in B, KiB, MiB or GiB.
func size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1<<20:
		return tenths(bytes, 10) + " KiB"
	case bytes < 1<<30:
		return tenths(bytes, 20) + " MiB"
	}
	return tenths(bytes, 30) + " GiB"
}

// tenths returns n divided by a power of two, cut after the first decimal, which is left out if it
// is 0.
func tenths(n int64, shift uint) string {
	whole, tenth := n>>shift, n&(1<<shift-1)*10>>shift
	if tenth == 0 {
		return strconv.FormatInt(whole, 10)
	}
	return fmt.Sprintf("%d.%d", whole, tenth)
}

// counted returns a number with a noun, which gets an s unless there is one.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped returns a number with commas between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// called returns what a context is called: its name, but of a hash table in PostgreSQL, whose name
// they all have, the ident.
func called(name, ident string) string {
	if name == "dynahash" && ident != "" {
		name = ident
	}
	return visible(name)
}

// visible returns a name as it is shown: what does not print is escaped as %q escapes it.
func visible(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) || r == '\uFFFD' }) {
		return name
	}
	quoted := strconv.Quote(name)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// write writes a document that is done.
func (c *canvas) write(w io.Writer) error {
	_, err := w.Write(c.finish())
	return err
}
