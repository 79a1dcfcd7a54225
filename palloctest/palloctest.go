// Package palloctest gives tests a memory context that must be left empty.
//
//	func TestQuery(t *testing.T) {
//		mc := palloctest.New(t) // deleted at the end; what is left there fails the test
//		...
//	}
package palloctest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// A root for each test.
//
// Invariant: the verdict about a test is about the contexts below its own root, so
// that tests may run in parallel; WholeTree looks further.
//
// Cost: that of a context, and of a walk over what the test left.

// An Option changes what may be left at the end of a test.
type Option func(*rules)

type rules struct {
	chunks, contexts, whole, unchecked bool
}

// AllowChunks lets the root that New returned hold chunks at the end: for tests of
// what is freed with its context, at once.
func AllowChunks() Option { return func(r *rules) { r.chunks = true } }

// AllowContexts lets contexts live below the root at the end, with whatever is in
// them.
func AllowContexts() Option { return func(r *rules) { r.contexts = true } }

// WholeTree also requires that the contexts of the whole process hold as many bytes
// at the end as at the beginning, and that Top has as many children: it finds what a
// test created elsewhere or moved away. It is for tests that run alone.
func WholeTree() Option { return func(r *rules) { r.whole = true } }

// Unchecked makes the root an ordinary context. It is for tests that look at sizes or measure time.
func Unchecked() Option { return func(r *rules) { r.unchecked = true } }

// New creates a context for a test: an AllocSet below Top with the test's name. It is checked, see
// palloc.Checked, and so are the contexts that the test creates below it: what they find fails the
// test. It
// belongs to the test's goroutine and is deleted at the end of the test, after all
// that was registered later with Cleanup. The test fails when there is a context
// below it then, or a chunk in it that was not freed, and is shown the tree, and the lines that
// created what is left. A test
// that deletes the context itself has left nothing. A test that failed or was skipped
// is not judged, since it may not have come to where it frees.
func New(t testing.TB, options ...Option) palloc.Context {
	t.Helper()
	var r rules
	for _, o := range options {
		o(&r)
	}
	var before surroundings
	if r.whole {
		before = lookAround()
	}
	var create []palloc.Option
	if !r.unchecked {
		create = append(create, palloc.Checked())
	}
	root := palloc.NewAllocSet(palloc.Top(), t.Name(), create...)
	t.Cleanup(func() {
		t.Helper()
		complaint := r.judge(root)
		for root.Live() {
			if err := contained(root.Delete); err != nil {
				t.Errorf("palloctest: deleting the context of the test: %v", err)
			}
		}
		if complaint == "" && r.whole {
			complaint = before.compare(lookAround())
		}
		if complaint != "" && !t.Failed() && !t.Skipped() {
			t.Errorf("palloctest: %s", complaint)
		}
	})
	return root
}

// judge returns what is wrong with what was left, or "".
func (r rules) judge(root palloc.Context) string {
	if !root.Live() {
		return ""
	}
	shown := tree(root)
	contexts := -1 // the root is none
	for range root.All() {
		contexts++
	}
	if contexts > 0 && !r.contexts {
		return fmt.Sprintf("%d contexts are left below the test's:", contexts) + shown + creations(root)
	}
	if err := contained(root.DeleteChildren); err != nil {
		return fmt.Sprintf("deleting the contexts that are left: %v", err) + shown
	}
	if !r.chunks && !root.IsEmpty() {
		return "chunks are left in the test's context:" + shown + chunks(root)
	}
	return ""
}

// tree returns the statistics of a context and of all below it.
func tree(mc palloc.Context) string {
	var b strings.Builder
	b.WriteByte('\n')
	mc.WriteStats(&b) // a Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// chunks returns the live chunks of a context by the lines that allocated them.
func chunks(mc palloc.Context) string {
	var b strings.Builder
	for _, g := range palloc.LiveChunks(mc) {
		fmt.Fprintf(&b, "\n%v", g)
	}
	return b.String()
}

// creations returns the lines that created what is left, as far as that is known.
func creations(root palloc.Context) string {
	var b strings.Builder
	for _, l := range palloc.Leaks(root, 0) {
		if l.Created != "" {
			fmt.Fprintf(&b, "\n%v", l)
		}
	}
	return b.String()
}

// contained runs a deletion, and returns what a callback panicked with, or what a checked context
// found. That callback is not run again by the next deletion.
func contained(end func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if f := palloc.AsFault(r); f != nil && f.Mistake != palloc.Misuse {
				err = f
				return
			}
			err = fmt.Errorf("a callback panicked: %v", r)
		}
	}()
	end()
	return nil
}

// surroundings holds what WholeTree compares.
type surroundings struct {
	children int
	bytes    int64
}

func lookAround() (s surroundings) {
	for range palloc.Top().Children() {
		s.children++
	}
	s.bytes = palloc.Top().TreeHeld()
	return s
}

// compare returns what is not as it was, or "".
func (s surroundings) compare(now surroundings) string {
	if s == now {
		return ""
	}
	return fmt.Sprintf("Top has %d children and its tree holds %d bytes; before the test these were %d and %d:",
		now.children, now.bytes, s.children, s.bytes) + tree(palloc.Top())
}
