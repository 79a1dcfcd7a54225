package palloc_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Operations of callbacks on other contexts, for every way in which a context ends: the
// tree is sound afterwards, and the contexts that live can be deleted.

// A quartet is a tree in which a callback of a runs: p has the children a and b, b has c.
type quartet struct{ p, a, b, c palloc.Context }

func (q quartet) all() []palloc.Context { return []palloc.Context{q.p, q.a, q.b, q.c} }

func newQuartet(mc palloc.Context) (q quartet) {
	q.p = palloc.NewAllocSet(mc, "p")
	q.a = palloc.NewGeneration(q.p, "a")
	q.b = palloc.NewAllocSet(q.p, "b")
	q.c = palloc.NewAllocSet(q.b, "c", palloc.Shared())
	for _, m := range q.all() {
		m.Alloc(3000)
		m.Alloc(30_000)
	}
	return q
}

var callbackDeeds = map[string]func(q quartet){
	"deletes a sibling":     func(q quartet) { q.b.Delete() },
	"deletes its own":       func(q quartet) { q.a.Delete() },
	"deletes its parent":    func(q quartet) { q.p.Delete() },
	"moves a nephew":        func(q quartet) { q.c.SetParent(q.p) },
	"moves its own away":    func(q quartet) { q.a.SetParent(q.p.Parent()) },
	"moves its parent away": func(q quartet) { q.p.SetParent(palloc.Top()) },
	"creates":               func(q quartet) { palloc.NewBump(q.a, "l").Alloc(100); palloc.NewSlab(q.p, "m", 8).Alloc(8) },
	"resets its parent":     func(q quartet) { q.p.Reset() },
	"resets its own":        func(q quartet) { q.a.Reset() },
	"deletes all around":    func(q quartet) { q.p.DeleteChildren() },
	"trims":                 func(q quartet) { palloc.Trim(); palloc.RecordCreations()() },
	"opens budgets":         func(q quartet) { q.a.SetLimit(1); q.p.SetLimit(1 << 20); q.a.SetIdent("x"); q.a.Peak() },
	"panics":                func(q quartet) { panic("callback") },
	"ends its goroutine":    func(q quartet) { runtime.Goexit() },
	"resets in every way":   func(q quartet) { q.a.Reset(); q.a.ResetOnly(); q.a.ResetChildren() },
	"scopes, with a callback": func(q quartet) {
		_ = palloc.Scope(q.a, "s", func(s palloc.Context) error { s.BeforeReset(q.b.Reset); return nil })
	},
	"deletes while it iterates": func(q quartet) {
		for c := range q.b.All() {
			if c.Live() && c != q.b {
				c.Delete()
			}
		}
	},
}

var waysToEnd = map[string]func(q quartet){
	"Delete": func(q quartet) { q.p.Delete() }, "Reset": func(q quartet) { q.p.Reset() },
	"ResetChildren": func(q quartet) { q.p.ResetChildren() }, "DeleteChildren": func(q quartet) { q.p.DeleteChildren() },
	"Reset of its own": func(q quartet) { q.a.Reset() }, "Delete of its own": func(q quartet) { q.a.Delete() },
	"Dropped.Delete": func(q quartet) { _ = palloc.Dropped{Context: q.p}.Delete() },
}

func TestCallbacksMayDoAnythingAround(t *testing.T) {
	for deed, do := range callbackDeeds {
		for way, end := range waysToEnd {
			t.Run(deed+", "+way, func(t *testing.T) {
				mc := newRoot(t)
				q := newQuartet(mc)
				ran := 0
				q.a.BeforeReset(func() { ran++; do(q) })
				done := make(chan any, 1)
				go func() {
					var r any = "ended"
					defer func() { done <- r }()
					r = panics(func() { end(q) })
				}()
				select {
				case <-done:
				case <-time.After(time.Minute):
					t.Fatal("it does not end")
				}
				if ran != 1 {
					t.Errorf("it ran %d times", ran)
				}
				wantSound(t, "afterwards", mc)
				for _, m := range q.all() {
					if m.Live() {
						wantSound(t, "afterwards", m) // it may have left mc
						m.Delete()
					}
				}
				wantOrder(t, mc)
			})
		}
		wantSound(t, "at the end", palloc.Top())
	}
}

func TestADeletionWhileItIsIteratedOver(t *testing.T) {
	mc := newRoot(t)
	p := palloc.NewAllocSet(mc, "p")
	for range 10 {
		palloc.NewAllocSet(palloc.NewAllocSet(p, "c"), "d")
	}
	n := 0
	for c := range p.All() {
		if n++; c.Live() && c != p {
			c.Delete()
		}
	}
	if n != 21 || count(p) != 0 {
		t.Errorf("%d children are left after %d of 21 steps", count(p), n)
	}
	wantOrder(t, mc)
}
