package main

import (
	"context"
	"errors"
	"testing"
)

func TestComplaintIsTheLineThatSaysWhy(t *testing.T) {
	for out, want := range map[string]string{
		"In file included from a.c:1:\na.h:3:10: fatal error: talloc.h: No such file or directory\n    3 | #include\n": "a.h:3:10: fatal error: talloc.h: No such file or directory",
		"/usr/bin/ld: cannot find -lmimalloc: No such file\ncollect2: error: ld returned 1 exit status\n":              "/usr/bin/ld: cannot find -lmimalloc: No such file",
		"one\nlib.rs: no such file; install it\n": "exit status 1: lib.rs: no such file; install it",
		"": "exit status 1: it said nothing",
	} {
		if got := complaint(out, errors.New("exit status 1")); got != want {
			t.Errorf("of %q: %q, want %q", out, got, want)
		}
	}
}

func TestWhatIsMissingIsLeftOut(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := buildC(context.Background(), "..", t.TempDir(), []string{"glibc", "apr"})
	if len(b.peers) != 0 || len(b.leftOut) != 2 {
		t.Errorf("built %v, left out %v", b.peers, b.leftOut)
	}
}
