package palloc

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// Check: whether what is known of a context, its blocks and its chunks agrees.
//
// Invariant: a check changes nothing, allocates nothing off-heap, follows no
// address and no number before it is known to lead somewhere, and ends whatever it
// finds.
//
// Cost: some steps for each chunk that was cut, the warehouse's lock for each block,
// and the tree's lock, for some hundred contexts at a time, while the tree is looked at.

// CorruptionError is one thing that Check found wrong: somebody wrote where nothing
// of theirs is, used memory that was taken back, or used a context from two
// goroutines at once; or palloc has a bug. The context is not to be trusted any
// more; deleting it may fail, too.
//
// PostgreSQL: the warnings "problem in alloc set" of MemoryContextCheck.
type CorruptionError struct {
	Context string  // path of the context
	Kind    Kind    // its kind, 0 where it was deleted and its core is kept
	Block   uintptr // address of the block concerned, 0 where none is
	Address uintptr // address of the chunk concerned, 0 where none is
	Reason  string  // what was found, and what should be
}

// Error is the one-line text of the error.
func (e *CorruptionError) Error() string {
	what := "deleted context"
	if e.Kind != 0 {
		what = e.Kind.String()
	}
	text := fmt.Sprintf("palloc: corruption in the %s %q: ", what, e.Context)
	if e.Block != 0 {
		text += fmt.Sprintf("block %#x: ", e.Block)
	}
	if e.Address != 0 {
		text += fmt.Sprintf("chunk %#x: ", e.Address)
	}
	return text + e.Reason
}

// Check looks for memory that was written to by mistake, in the context and in all
// contexts below it: every header of a chunk, every freelist, every head of a block
// and every account must agree with the others, and the tree with itself. It returns
// nil when they do; else a *CorruptionError for each of the first 16 things that do
// not, joined. What chunks contain is the program's and not looked at, nor is what
// lies between the chunks of a Bump, which have no headers. Needs to own all of
// them; what others do elsewhere meanwhile they need not wait with, and what they change
// is not compared.
//
// PostgreSQL: MemoryContextCheck.
func (mc Context) Check() error {
	var f findings
	for _, c := range mc.ref.Check("Context.Check", f.note, budget.NewAudit(mc.slot(), f.note)) {
		f.memory(Context{c})
	}
	return f.err()
}

// findings are what a check found.
type findings struct {
	first []finding
	more  int
}

// finding is something wrong in the core of a context.
type finding struct {
	at *tree.Node
	kind.Flaw
}

const maxFindings = 16

// memory checks what a context holds.
func (f *findings) memory(mc Context) {
	kinds.Methods[kind.KindOf(mc.ref.Epoch)].Check(mc.ref.Core, func(flaw kind.Flaw) { f.note(mc.slot(), flaw) })
}

// note notes what was found.
func (f *findings) note(s *tree.Node, flaw kind.Flaw) {
	if len(f.first) == maxFindings {
		f.more++
		return
	}
	f.first = append(f.first, finding{s, flaw})
}

// err is all that was found as one error.
func (f *findings) err() error {
	if len(f.first) == 0 {
		return nil
	}
	tree.Lock()
	defer tree.Unlock()
	var all []error
	for _, at := range f.first {
		all = append(all, &CorruptionError{
			Context: dubiousPath(at.at), Kind: Kind(at.at.Kind()),
			Block: at.Block, Address: at.Chunk, Reason: at.Reason,
		})
	}
	if f.more > 0 {
		all = append(all, fmt.Errorf("palloc: corruption: %d things more are wrong", f.more))
	}
	return errors.Join(all...)
}

// maxDubiousLevels is how many levels of a path are followed that may lead in a circle.
const maxDubiousLevels = 1000

// dubiousPath is pathOf for a core whose links are not to be trusted. The tree's lock
// must be held.
func dubiousPath(s *tree.Node) string {
	path := s.Name()
	for level := 0; s.Parent != 0; level++ {
		if level == maxDubiousLevels || !kind.IsOpened(s.Parent) {
			return ".../" + path
		}
		s = tree.At(s.Parent)
		path = s.Name() + "/" + path
	}
	return path
}
