package tree_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/tree"
)

// TestALookAtTheChildrenNoticesOneThatLeft has a deletion read the first child before that
// one leaves its parent, and look at it when it is cached elsewhere. It must not take what
// follows there for the rest of the children.
func TestALookAtTheChildrenNoticesOneThatLeft(t *testing.T) {
	top := create(tree.Root(), "top")
	defer top.Delete()
	here, elsewhere := create(top, "here"), create(top, "elsewhere")
	create(here, "stays")
	left := create(here, "left")
	left.Move("move", elsewhere)
	if left.Delete(); tree.IsLeafFrom(here, left) {
		t.Error("a context with a child passes for a leaf")
	}
	if here.Node().FirstChild == 0 || !tree.IsLeafFrom(elsewhere, left) {
		t.Error("a context with a cached child does not pass for a leaf")
	}
}
