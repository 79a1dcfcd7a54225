package palloctest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/palloctest"
)

// fake is a test that notes what it was told instead of failing.
type fake struct {
	testing.TB
	name            string
	cleanups        []func()
	errors          []string
	failed, skipped bool
}

func (f *fake) Helper()          {}
func (f *fake) Name() string     { return f.name }
func (f *fake) Failed() bool     { return f.failed }
func (f *fake) Skipped() bool    { return f.skipped }
func (f *fake) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fake) Errorf(format string, args ...any) {
	f.failed = true
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

// run runs a test with a context of New, and its cleanups, and returns what it was
// told. The context must be gone afterwards.
func run(t *testing.T, body func(f *fake, mc palloc.Context), options ...palloctest.Option) []string {
	t.Helper()
	f := &fake{TB: t, name: t.Name()}
	mc := palloctest.New(f, options...)
	body(f, mc)
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	if mc.Live() {
		t.Error("the test's context lives on")
	}
	return f.errors
}

func wantSilence(t *testing.T, errors []string) {
	t.Helper()
	if len(errors) != 0 {
		t.Errorf("the test failed: %q", errors)
	}
}

// wantComplaint checks that the test failed once and was told all words.
func wantComplaint(t *testing.T, errors []string, words ...string) {
	t.Helper()
	if len(errors) != 1 {
		t.Fatalf("the test was told %q; want one complaint", errors)
	}
	for _, w := range words {
		if !strings.Contains(errors[0], w) {
			t.Errorf("the complaint does not say %q:\n%s", w, errors[0])
		}
	}
}

func tidy(_ *fake, mc palloc.Context) {
	palloc.Free(palloc.New[[100]byte](mc))
	c := palloc.NewBump(mc, "child")
	c.Alloc(100)
	c.Delete()
}

func TestATidyTestPasses(t *testing.T) {
	wantSilence(t, run(t, tidy))
	wantSilence(t, run(t, tidy, palloctest.WholeTree()))
}

func TestTheContextIsTheTestsOwn(t *testing.T) {
	mc := palloctest.New(t)
	if mc.Name() != t.Name() || mc.Parent() != palloc.Top() || mc.Kind() != palloc.KindAllocSet {
		t.Errorf("the context is the %v %q", mc.Kind(), mc.Path())
	}
}

func TestAContextThatIsLeftFailsTheTest(t *testing.T) {
	leave := func(_ *fake, mc palloc.Context) {
		palloc.NewBump(palloc.NewAllocSet(mc, "left"), "below").Alloc(3000)
	}
	wantComplaint(t, run(t, leave), "2 contexts are left", t.Name()+": ", "\n  left: 0 total", "\n    below: ", "Grand total")
	wantSilence(t, run(t, leave, palloctest.AllowContexts()))
	wantComplaint(t, run(t, leave, palloctest.AllowChunks()), "2 contexts are left")
}

func TestAChunkThatIsLeftFailsTheTest(t *testing.T) {
	leave := func(_ *fake, mc palloc.Context) { mc.Alloc(1) }
	wantComplaint(t, run(t, leave), "chunks are left", "in 1 blocks", "Grand total")
	wantComplaint(t, run(t, leave, palloctest.AllowContexts()), "chunks are left")
	wantSilence(t, run(t, leave, palloctest.AllowChunks()))
	both := func(f *fake, mc palloc.Context) {
		palloc.NewAllocSet(mc, "left")
		leave(f, mc)
	}
	wantComplaint(t, run(t, both, palloctest.AllowContexts()), "chunks are left", "\n  left: ")
	wantSilence(t, run(t, both, palloctest.AllowContexts(), palloctest.AllowChunks()))
}

func TestTheLinesThatCreatedWhatIsLeftAreShown(t *testing.T) {
	defer palloc.RecordCreations()()
	errors := run(t, func(_ *fake, mc palloc.Context) { palloc.NewAllocSet(mc, "left") })
	wantComplaint(t, errors, `1 × "left"`, "palloctest_test.go:", "TestTheLinesThatCreatedWhatIsLeftAreShown")
}

func TestCleanupsOfTheTestComeBeforeTheVerdict(t *testing.T) {
	wantSilence(t, run(t, func(f *fake, mc palloc.Context) {
		c := palloc.NewAllocSet(mc, "child")
		f.Cleanup(c.Delete)
	}))
}

func TestATestMayEndItsContextItself(t *testing.T) {
	wantSilence(t, run(t, func(_ *fake, mc palloc.Context) {
		mc.Alloc(100)
		mc.Delete()
	}))
}

func TestATestThatDidNotGetToItsEndIsNotJudged(t *testing.T) {
	wantSilence(t, run(t, func(f *fake, mc palloc.Context) {
		palloc.NewAllocSet(mc, "left")
		f.failed = true
	}))
	wantSilence(t, run(t, func(f *fake, mc palloc.Context) {
		palloc.NewAllocSet(mc, "left")
		f.skipped = true
	}))
}

func TestACallbackThatPanicsFailsTheTest(t *testing.T) {
	wantComplaint(t, run(t, func(_ *fake, mc palloc.Context) {
		mc.BeforeReset(func() { panic("alas") })
	}), "a callback panicked: alas")
	wantComplaint(t, run(t, func(_ *fake, mc palloc.Context) {
		palloc.NewAllocSet(mc, "left").BeforeReset(func() { panic("alas") })
	}, palloctest.AllowContexts()), "a callback panicked: alas", "\n  left: ")
}

func TestWholeTreeFindsWhatWasLeftElsewhere(t *testing.T) {
	var moved palloc.Context
	leave := func(_ *fake, mc palloc.Context) {
		moved = palloc.NewAllocSet(mc, "moved")
		moved.Alloc(5000)
		moved.SetParent(palloc.Top())
	}
	wantSilence(t, run(t, leave))
	moved.Delete()
	wantComplaint(t, run(t, leave, palloctest.WholeTree()), "Top has ", "\n  moved: ")
	moved.Delete()
}
