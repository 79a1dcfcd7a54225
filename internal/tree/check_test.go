package tree_test

import (
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/tree"
)

// Check finds what is wrong with lists and tables on Go's heap. The tests of the root
// package break what is in the nodes.

func TestCheckOfTheRootFindsWhatIsBrokenOnGoHeap(t *testing.T) {
	for _, b := range []struct {
		name, words string
		do          func() (restore func())
	}{
		{"the count of kept nodes is wrong", "free nodes have keepers, and", tree.MiscountKeepers},
		{"the count of a name's kept nodes is wrong", "free nodes with keepers are for contexts named", tree.MiscountNamed},
		{"callbacks of no context", "the table of callbacks has node", tree.StrayCallbacks},
	} {
		t.Run(b.name, func(t *testing.T) {
			if err := palloc.Top().Check(); err != nil {
				t.Fatal("before: ", err)
			}
			restore := b.do()
			err := palloc.Top().Check()
			restore()
			if err == nil || !strings.Contains(err.Error(), b.words) {
				t.Errorf("the check says\n%v\nand nothing of %q", err, b.words)
			}
			if err := palloc.Top().Check(); err != nil {
				t.Error("afterwards: ", err)
			}
		})
	}
}
