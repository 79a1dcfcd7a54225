package palloc_test

import (
	"context"
	"testing"

	"github.com/gopalloc/palloc"
)

// A memory context travels with a context.Context.

func TestAGoContextCarriesAContext(t *testing.T) {
	type key struct{}
	mc := newRoot(t)
	inner := palloc.NewBump(mc, "inner")
	background := context.Background()
	if got, ok := palloc.FromGoContext(background); ok || got != (palloc.Context{}) {
		t.Errorf("nothing carries %v", got)
	}
	outer := palloc.NewGoContext(background, mc)
	child, cancel := context.WithCancel(context.WithValue(outer, key{}, "value"))
	if got, ok := palloc.FromGoContext(child); !ok || got != mc {
		t.Errorf("a child carries %v, %v", got, ok)
	}
	both := palloc.NewGoContext(child, inner)
	cancel()
	if got, ok := palloc.FromGoContext(both); !ok || got != inner || both.Err() != context.Canceled || both.Value(key{}) != "value" {
		t.Errorf("the inner one is %v, %v, %v", got, ok, both.Err())
	}
	if got, _ := palloc.FromGoContext(outer); got != mc || !inner.Live() {
		t.Error("the inner one or its cancellation changed the outer one")
	}
}

func TestADeletedContextIsStillCarried(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	ctx := palloc.NewGoContext(context.Background(), c)
	c.Delete()
	got, ok := palloc.FromGoContext(ctx)
	if !ok || got != c || got.Live() {
		t.Errorf("it carries %v, %v", got, ok)
	}
	wantFault(t, func() { got.Alloc(1) }, "Alloc", "c", "deleted")
}
