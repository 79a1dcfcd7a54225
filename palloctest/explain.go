package palloctest

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// Page faults in a test.
//
// Invariant: a panic that is no Fault goes on.
//
// Cost: none until there is a panic.

// Explain makes a test fail with the Fault, and all that it knows, where it would panic: also where
// it accesses memory of a checked context that was freed, or took back, and is protected. Defer the
// function that it returns, in the goroutine of the test:
//
//	defer palloctest.Explain(t)()
func Explain(t testing.TB) (explain func()) {
	before := debug.SetPanicOnFault(true)
	return func() {
		t.Helper()
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		f := palloc.AsFault(r)
		if f == nil {
			panic(r)
		}
		t.Fatalf("%v%s", f, places(f))
	}
}

// places returns the places that a Fault knows, one a line.
func places(f *palloc.Fault) string {
	var b strings.Builder
	for _, at := range []struct {
		what   string
		frames []runtime.Frame
	}{{"called", f.Call}, {"allocated", f.Made}, {"ended", f.Ended}, {"meanwhile", f.Other}} {
		for i, frame := range at.frames {
			if i == 0 {
				fmt.Fprintf(&b, "\n%s:", at.what)
			}
			fmt.Fprintf(&b, "\n\t%s\n\t\t%s:%d", frame.Function, frame.File, frame.Line)
		}
	}
	return b.String()
}
