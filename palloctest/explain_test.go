package palloctest_test

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/palloctest"
)

func TestWhatAnOverflowDamagedFailsTheTest(t *testing.T) {
	over := func(_ *fake, mc palloc.Context) {
		c := palloc.NewBump(mc, "child")
		p := c.Alloc(61)
		*(*byte)(unsafe.Add(p, 61)) = 0
	}
	wantComplaint(t, run(t, over, palloctest.AllowContexts(), palloctest.AllowChunks()), "61 bytes", "explain_test.go:", "beyond its end: 1 byte")
	wantSilence(t, run(t, over, palloctest.AllowContexts(), palloctest.AllowChunks(), palloctest.Unchecked()))
}

func TestTheLineOfAChunkThatIsLeftIsShown(t *testing.T) {
	errors := run(t, func(_ *fake, mc palloc.Context) {
		mc.Alloc(100)
		mc.Alloc(100)
	})
	wantComplaint(t, errors, "chunks are left", "1 chunks of 100 bytes", "explain_test.go:")
}

// stopped is what a fake panics with in Fatalf.
type stopped string

func (f *fake) Fatalf(format string, args ...any) { panic(stopped(fmt.Sprintf(format, args...))) }

// explained runs a test with Explain, and returns what it failed with, "" for nothing.
func explained(t *testing.T, body func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = string(r.(stopped))
		}
	}()
	defer palloctest.Explain(&fake{TB: t})()
	body()
	return ""
}

func TestExplainShowsTheHistoryOfAChunk(t *testing.T) {
	mc := palloctest.New(t)
	p := mc.Alloc(64)
	palloc.FreePointer(p)
	text := explained(t, func() { palloc.FreePointer(p) })
	for _, part := range []string{"is already free: it was freed by FreePointer at palloctest/explain_test.go:", "\ncalled:", "\nallocated:", "\nended:"} {
		if !strings.Contains(text, part) {
			t.Errorf("the text lacks %q:\n%s", part, text)
		}
	}
}

func TestExplainPassesOnOtherPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
	}()
	defer palloctest.Explain(t)()
	panic("mine")
}
