package palloc

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// All chunks of a context: those of checked contexts by where they were allocated, and those
// of one context by where they lie in its blocks.
//
// Invariant: each live chunk is in one group. The parts of a block touch each other, from its
// first byte to its last.
//
// Cost: a step for each chunk; for a layout the page heap's lock for each block, too.

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

// A Layout is the blocks of one context and what lies in them, as a value without addresses. Package
// draw makes a picture of it; encoding/json writes it, and reads it back.
type Layout struct {
	Path   string // of the context
	Kind   Kind
	Blocks []Block // the one from which chunks are cut first, those of one large chunk last
}

// A Block is a block of a Layout. The sizes of its parts add up to its own.
type Block struct {
	Size  int64  // in bytes
	Large bool   // it has one large chunk
	Parts []Part // from the first byte to the last
}

// A Part is some bytes of a block that serve for one thing.
type Part struct {
	Use  PartUse
	Size int64 // in bytes; of a chunk with its header
}

// A PartUse is what a part of a block serves for.
type PartUse string

// The uses of parts of blocks.
const (
	PartHead   = PartUse(kind.UseHead)   // the head of the block
	PartLive   = PartUse(kind.UseLive)   // a live chunk; in a Bump, all that is not unused
	PartFreed  = PartUse(kind.UseFreed)  // a freed chunk, for a request of its size
	PartJoined = PartUse(kind.UseJoined) // freed chunks that were joined, for any request that fits
	PartUnused = PartUse(kind.UseUnused) // the part from which the next chunks are cut
	PartLost   = PartUse(kind.UseLost)   // too small for a chunk
	PartUnread = PartUse(kind.UseUnread) // its headers were overwritten: see Check
)

// Layout returns the blocks of the context alone, with each chunk in them. Chunks of a Bump have no
// headers: a block has one live part, which includes what was left over at its end, unless it is the
// current block. In a checked context a chunk's part includes what is around it, and freed chunks are
// those in the quarantine, too. Owner only; in a Shared context, all others have stopped using it.
//
// PostgreSQL has none.
func (mc Context) Layout() Layout {
	mc.check("Context.Layout")
	l := Layout{Path: mc.Path(), Kind: mc.Kind()}
	add := func(b kind.BlockLayout) {
		parts := make([]Part, len(b.Parts))
		for i, p := range b.Parts {
			parts[i] = Part{PartUse(p.Use), int64(p.Size)}
		}
		l.Blocks = append(l.Blocks, Block{int64(b.Size), b.Large, parts})
	}
	id := kind.KindOf(mc.ref.Epoch)
	if kinds.Methods[id].Layout(mc.ref.Core, add); !checked.Is(id) {
		checked.LayOut(mc.ref.Core, add) // its guarded chunks
	}
	return l
}
