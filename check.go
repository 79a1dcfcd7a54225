package palloc

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// Check: whether the records of a context, its blocks and its chunks agree.
//
// Invariant: a check changes nothing and allocates nothing off-heap. It follows an address
// or a number only once that is known to be valid, and it ends whatever it finds.
//
// Cost: some steps for each chunk that was cut, the page heap's lock for each block, and
// the tree's lock, for some hundred contexts at a time, while the tree is read.

// A CorruptionError is one thing that Check found wrong. Possible causes: the program wrote
// where it owns no memory, used memory that was taken back, or used a context from two
// goroutines at once; or palloc has a bug. The context must not be used any more; deleting
// it may fail, too.
//
// PostgreSQL: the warnings "problem in alloc set" of MemoryContextCheck.
type CorruptionError struct {
	Context string  // path of the context
	Kind    Kind    // its kind; 0 if it was deleted
	Block   uintptr // address of the block concerned, 0 for none
	Address uintptr // address of the chunk concerned, 0 for none
	Reason  string  // what was found, and what was expected
}

// Error returns the error in one line.
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

// Check looks for memory that was overwritten, in the context and in all contexts below it:
// it compares the headers of chunks, the free lists, the heads of blocks and the counts with
// each other, and verifies the links of the tree. It returns nil when all agree; otherwise
// it returns the first 16 findings, each a *CorruptionError, or a *Fault where a checked context
// found it, joined by errors.Join. It looks neither at what chunks contain nor at what lies
// between the chunks of a Bump, which have no headers, unless the context is checked. Then it also
// verifies the memory that was freed in all checked contexts. Owner only, of the context and all contexts below it. Other goroutines may
// change the tree elsewhere meanwhile; links that they change during the call are not
// compared.
//
// PostgreSQL: MemoryContextCheck.
func (mc Context) Check() error {
	var f findings
	checked.ExamineAll()
	for _, x := range checked.Pending() {
		f.note(mc.ref.Node(), kind.Flaw{Found: x})
	}
	for _, c := range mc.ref.Check("Context.Check", f.note, budget.NewAudit(mc.ref.Node(), f.note)) {
		kinds.Methods[kind.KindOf(c.Epoch)].Check(c.Core, func(flaw kind.Flaw) { f.note(c.Node(), flaw) })
	}
	return f.err()
}

// findings collects what a check finds.
type findings struct {
	first []finding // at most maxFindings
	more  int       // number of the others
}

// A finding is something wrong in the node of a context.
type finding struct {
	at *tree.Node
	kind.Flaw
}

// maxFindings is the number of findings that Check reports one by one.
const maxFindings = 16

// note adds a finding.
func (f *findings) note(s *tree.Node, flaw kind.Flaw) {
	if len(f.first) == maxFindings {
		f.more++
		return
	}
	f.first = append(f.first, finding{s, flaw})
}

// err returns all findings as one error, nil when there are none.
func (f *findings) err() error {
	if len(f.first) == 0 {
		return nil
	}
	var all []error
	for _, at := range f.first {
		all = append(all, at.err())
	}
	if f.more > 0 {
		all = append(all, fmt.Errorf("palloc: corruption: %d more findings", f.more))
	}
	return errors.Join(all...)
}

// err returns the finding as an error: a *Fault if a checked context found it.
func (at finding) err() error {
	if x, ok := at.Found.(*checked.Finding); ok {
		return faultOf("Context.Check", x)
	}
	tree.Lock()
	defer tree.Unlock()
	return &CorruptionError{
		Context: dubiousPath(at.at), Kind: Kind(at.at.Kind()),
		Block: at.Block, Address: at.Chunk, Reason: at.Reason,
	}
}

// maxDubiousLevels is the number of levels that dubiousPath follows: damaged links may form
// a cycle.
const maxDubiousLevels = 1000

// dubiousPath returns the path of a node whose links may be damaged. The caller holds the
// tree's lock.
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
