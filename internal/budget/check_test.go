package budget_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// Check finds what is wrong with accounts, charges and side tables. The tests of the root
// package break what is in the nodes.

// number returns the number of the context's node.
func number(mc palloc.Context) uint32 {
	return (*(**kind.Core)(unsafe.Pointer(&mc))).Number() // a Context begins with its node
}

// subtree is a tree to break: below lies under b, which has a limit.
type subtree struct{ mc, a, b, below palloc.Context }

func newSubtree(t *testing.T) subtree {
	mc := palloc.NewAllocSet(palloc.Top(), "test")
	t.Cleanup(mc.Delete)
	s := subtree{mc: mc, a: palloc.NewAllocSet(mc, "a"), b: palloc.NewGeneration(mc, "b")}
	s.below = palloc.NewAllocSet(s.b, "below")
	for _, c := range []palloc.Context{s.a, s.b, s.below} {
		c.Alloc(200)
	}
	s.b.SetLimit(1 << 20)
	return s
}

func add(p *int64, n int64) (restore func()) {
	*p += n
	return func() { *p -= n }
}

func addTo(p *atomic.Int64, n int64) (restore func()) {
	p.Add(n)
	return func() { p.Add(-n) }
}

func TestCheckFindsWhatIsBrokenInBudgets(t *testing.T) {
	for _, b := range []struct {
		name, words string
		do          func(s subtree) (restore func())
	}{
		{"a context is charged too much", "it is charged ", func(s subtree) func() {
			return add(budget.ChargedTo(number(s.below)), 8)
		}},
		{"an account holds less", "bytes as held, and the contexts under it are charged", func(s subtree) func() {
			return addTo(budget.HeldBy(number(s.b)), -8)
		}},
		{"an account holds more than its peak", "as the peak", func(s subtree) func() {
			return addTo(budget.HeldBy(number(s.b)), 1<<40)
		}},
		{"an account holds less than nothing", "as the peak", func(s subtree) func() {
			return addTo(budget.HeldBy(number(s.b)), -1<<40)
		}},
		{"an account is of another context", "another budget than its own", func(s subtree) func() {
			p := budget.OwnerOf(number(s.b))
			old := *p
			*p = tree.Ref{}
			return func() { *p = old }
		}},
		{"a context is charged to another account", "another budget than its parent", func(s subtree) func() {
			s.a.SetLimit(1 << 20)
			return budget.Swap(number(s.below), number(s.a))
		}},
		{"a context with a budget is charged to another one", "another budget than its own", func(s subtree) func() {
			s.a.SetLimit(1 << 20)
			return budget.Swap(number(s.b), number(s.a))
		}},
		{"callbacks of no context", "the table of callbacks of OnPressure has node", func(subtree) func() { return budget.StrayListeners() }},
		{"budgets of no context", "the table of budgets has node", func(subtree) func() { return budget.StrayAccounts() }},
	} {
		t.Run(b.name, func(t *testing.T) {
			s := newSubtree(t)
			if err := palloc.Top().Check(); err != nil {
				t.Fatal("before: ", err)
			}
			restore := b.do(s)
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
