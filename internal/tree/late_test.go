package tree_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/tree"
)

// What seldom happens between steps that take no lock, made to happen.

func create(parent tree.Ref, name string) tree.Ref { return tree.Create(parent, allocset.ID, name) }

// createWhile creates a child of parent, under the tree's lock, and calls meanwhile when the
// creation has seen that parent is live. It returns what it panics with.
func createWhile(parent tree.Ref, name string, meanwhile func()) (child tree.Ref, failed any) {
	defer func() { failed = recover() }()
	o := tree.Options{Prepare: func(*kind.Core, uintptr) error { meanwhile(); return nil }}
	child = tree.CreateWith(parent, allocset.ID, name, o)
	return child, nil
}

// isGone reports whether a panic says that a context is gone.
func isGone(failed any) bool {
	err, _ := failed.(error)
	return err != nil && strings.Contains(err.Error(), "deleted")
}

// TestAChildOfWhatEndsMeanwhileIsDeleted: by its creator, since the deletion was over before.
func TestAChildOfWhatEndsMeanwhileIsDeleted(t *testing.T) {
	top := create(tree.Root(), "top")
	defer top.Delete()
	parent := create(top, "parent")
	if _, failed := createWhile(parent, "child", parent.Delete); !isGone(failed) {
		t.Errorf("the creation panics with %v", failed)
	}
	tree.EachNode(func(s *tree.Node) {
		if s.Parent == parent.Core.Number() && s.Ref().Owned() {
			t.Error("a context is live below one that was deleted")
		}
	})
}

// TestADeletionThatWaitsFindsTheChild: it has ended the epoch, waits for the lock, and finds a
// child that was linked meanwhile.
func TestADeletionThatWaitsFindsTheChild(t *testing.T) {
	for name, prepare := range map[string]func(top, parent tree.Ref){
		"it has a long ident": func(top, parent tree.Ref) { parent.SetIdent("ident", strings.Repeat("x", 1000)) },
		"it is out of reach": func(top, parent tree.Ref) {
			for range 8 {
				create(top, "before")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			top := create(tree.Root(), "top")
			defer top.Delete()
			parent := create(top, "parent")
			prepare(top, parent)
			deleted := make(chan struct{})
			child, failed := createWhile(parent, "child", func() {
				go func() {
					defer close(deleted)
					parent.Delete()
				}()
				for parent.Live() {
					runtime.Gosched()
				}
			})
			if <-deleted; parent.Live() || child.Live() {
				t.Errorf("after the deletion the parent is live: %t, and its child: %t", parent.Live(), child.Live())
			}
			if failed != nil && !isGone(failed) {
				t.Errorf("the creation panics with %v", failed)
			}
		})
	}
}

// TestANodeTakenForADeletedParentIsPutBack: the next context of that parent's node has it.
func TestANodeTakenForADeletedParentIsPutBack(t *testing.T) {
	top := create(tree.Root(), "top")
	defer top.Delete()
	parent := create(top, "parent")
	child := create(parent, "child")
	child.Delete()
	parent.Delete()
	func() {
		defer func() {
			if failed := recover(); !isGone(failed) {
				t.Errorf("the creation panics with %v", failed)
			}
		}()
		create(parent, "child")
	}()
	next := create(top, "parent")
	if again := create(next, "child"); next.Core != parent.Core || again.Core != child.Core {
		t.Error("the nodes are not those of the tree before")
	}
}

// TestAChildThatCannotBePreparedIsNone: the error comes out, and nothing is left.
func TestAChildThatCannotBePreparedIsNone(t *testing.T) {
	top := create(tree.Root(), "top")
	defer top.Delete()
	o := tree.Options{Prepare: func(*kind.Core, uintptr) error { return kind.Misuse("wrong") }}
	defer func() {
		err, _ := recover().(error)
		if err == nil || !strings.Contains(err.Error(), "wrong") || top.HasChildren("test") {
			t.Errorf("the creation panics with %v; there is a child: %t", err, top.HasChildren("test"))
		}
	}()
	tree.CreateWith(top, allocset.ID, "child", o)
}
