package palloc

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/gopalloc/palloc/internal/kind/checked"
)

// The live chunks of checked contexts, by where they were allocated.
//
// Invariant: each live chunk is in one group.
//
// Cost: a step for each chunk.

// A ChunkGroup is the live chunks of one size in one context that were allocated at one place.
type ChunkGroup struct {
	Count   int
	Size    int             // bytes that were requested for each
	Context string          // path
	Made    []runtime.Frame // where they were allocated, the innermost frame first; empty if that was not recorded
}

// String returns the group in one line.
func (g ChunkGroup) String() string {
	text := fmt.Sprintf("%d chunks of %d bytes in %q", g.Count, g.Size, g.Context)
	if len(g.Made) > 0 {
		text += fmt.Sprintf(", made at %s:%d", g.Made[0].File, g.Made[0].Line)
	}
	return text
}

// LiveChunks returns the chunks in top and the contexts below it that are in use, the groups with most
// bytes first. Only checked contexts are listed: others do not know where chunks were allocated. At
// the end of a test or of a program these are the chunks that were not freed. Owner only, of top
// and all contexts below it.
//
// PostgreSQL has none: Valgrind lists them.
func LiveChunks(top Context) (all []ChunkGroup) {
	for mc := range top.All() {
		if !mc.IsChecked() {
			continue
		}
		for _, g := range checked.Groups(mc.ref.Core) {
			_, made := g.Made.Frames()
			all = append(all, ChunkGroup{g.Count, int(g.Size), mc.Path(), made})
		}
	}
	slices.SortStableFunc(all, func(a, b ChunkGroup) int { return cmp.Compare(b.Count*b.Size, a.Count*a.Size) })
	return all
}

// WriteLeaks writes what is left below top: contexts as Leaks returns them, and chunks as LiveChunks
// does, one group a line. Defer it in main to see what a program leaves:
//
//	defer palloc.WriteLeaks(os.Stderr, palloc.Top())
//
// The error is w's. Owner only, of top and all contexts below it.
func WriteLeaks(w io.Writer, top Context) error {
	for _, l := range Leaks(top, 0) {
		if _, err := fmt.Fprintln(w, l); err != nil {
			return err
		}
	}
	for _, g := range LiveChunks(top) {
		if _, err := fmt.Fprintln(w, g); err != nil {
			return err
		}
	}
	return nil
}
