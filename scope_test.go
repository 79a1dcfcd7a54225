package palloc_test

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// Scope, running out of memory in it, and a context.Context that carries a memory context.

func TestScopeReturnsTheErrorAndDeletes(t *testing.T) {
	mc := newRoot(t)
	problem := errors.New("problem")
	for _, want := range []error{nil, problem} {
		var inside palloc.Context
		err := palloc.Scope(mc, "query", func(mc palloc.Context) error {
			inside = mc
			if mc.Path() != "Top/test/query" || mc.Kind() != palloc.KindAllocSet {
				t.Errorf("the scope is the %v %q", mc.Kind(), mc.Path())
			}
			palloc.NewBump(mc, "below").Alloc(10_000)
			return want
		})
		if err != want || inside.Live() {
			t.Errorf("Scope returned %v, its context live: %v", err, inside.Live())
		}
	}
	wantNames(t, "afterwards", mc.All(), "test")
}

func TestScopeTakesOptions(t *testing.T) {
	mc := newFresh(t)
	err := palloc.Scope(mc, "s", func(mc palloc.Context) error {
		mc.Alloc(8)
		if held := mc.Held(); held != 32<<10 {
			return fmt.Errorf("the first block has %d bytes", held)
		}
		return nil
	}, palloc.BlockSizes(32<<10, 64<<10))
	if err != nil {
		t.Error(err)
	}
}

func TestAScopeIsOfTheKindAskedFor(t *testing.T) {
	mc := newRoot(t)
	kindOf := func(opts ...palloc.Option) (k palloc.Kind, checked bool) {
		palloc.Scope(mc, "s", func(mc palloc.Context) error {
			mc.Alloc(100)
			k, checked = mc.Kind(), mc.IsChecked()
			return nil
		}, opts...)
		return k, checked
	}
	for _, k := range growing {
		if got, _ := kindOf(palloc.OfKind(k)); got != k {
			t.Errorf("a Scope of %v is a %v", k, got)
		}
		if got, checked := kindOf(palloc.Checked(), palloc.OfKind(k), palloc.BlockSizes(4<<10, 0)); got != k || !checked {
			t.Errorf("a checked Scope of %v is a %v", k, got)
		}
	}
	wantFault(t, func() { kindOf(palloc.OfKind(palloc.KindAllocSet), palloc.OfKind(palloc.KindBump)) }, "NewBump", "", "another kind, AllocSet")
	wantFault(t, func() { palloc.OfKind(palloc.KindSlab) }, "OfKind", "", "NewSlab")
	wantFault(t, func() { palloc.OfKind(0) }, "OfKind", "", "no kind")
	wantFault(t, func() { kindOf(palloc.OfKind(palloc.KindBump), palloc.Shared()) }, "NewBump", "", "Shared")
	wantFault(t, func() { palloc.NewGeneration(mc, "g", palloc.OfKind(palloc.KindBump)) }, "NewGeneration", "", "call NewBump")
	wantFault(t, func() { palloc.NewSlab(mc, "s", 8, palloc.OfKind(palloc.KindBump)) }, "NewSlab", "", "call NewBump")
	palloc.NewBump(mc, "b", palloc.OfKind(palloc.KindBump)).Delete()
	wantNames(t, "afterwards", mc.All(), "test")
}

func TestOtherPanicsPassThroughAScope(t *testing.T) {
	mc := newRoot(t)
	for _, value := range []any{"text", 17, errors.New("an error"), &palloc.Fault{Op: "x", Reason: "y"}} {
		var inside palloc.Context
		got := panics(func() {
			palloc.Scope(mc, "s", func(mc palloc.Context) error {
				inside = mc
				mc.Alloc(100)
				panic(value)
			})
		})
		if got != value || inside.Live() {
			t.Errorf("the panic %v came out as %v, the context live: %v", value, got, inside.Live())
		}
	}
	wantFault(t, func() {
		palloc.Scope(mc, "s", func(mc palloc.Context) error { mc.Alloc(-1); return nil })
	}, "Alloc", "Top/test/s", "is not a size")
	wantOrder(t, mc)
}

func TestAGoroutineThatExitsDeletesItsScope(t *testing.T) {
	mc := newRoot(t)
	var inside palloc.Context
	done := make(chan bool)
	go func() {
		defer close(done)
		palloc.Scope(mc, "s", func(mc palloc.Context) error {
			inside = mc
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	wantLive(t, false, inside)
}

// absurd is a valid size that no system grants.
func absurd() int {
	if bits.UintSize == 64 {
		terabytes := 32
		return terabytes << 40
	}
	return 1<<31 - 1<<20 - 1<<12
}

// wants are the ways to request too much of a context: those that panic and those that
// return the error.
var wants = map[string]func(mc palloc.Context, size int) error{
	"Alloc":        func(mc palloc.Context, size int) error { mc.Alloc(size); return nil },
	"AllocZeroed":  func(mc palloc.Context, size int) error { mc.AllocZeroed(size); return nil },
	"AllocAligned": func(mc palloc.Context, size int) error { mc.AllocAligned(size, 64); return nil },
	"MakeSlice":    func(mc palloc.Context, size int) error { palloc.MakeSlice[byte](mc, 0, size); return nil },
	"Realloc":      func(mc palloc.Context, size int) error { palloc.Realloc(mc.Alloc(8), size); return nil },

	"TryAlloc":        func(mc palloc.Context, size int) error { _, err := mc.TryAlloc(size); return err },
	"TryAllocAligned": func(mc palloc.Context, size int) error { _, err := mc.TryAllocAligned(size, 64); return err },
	"TryMakeSlice":    func(mc palloc.Context, size int) error { _, err := palloc.TryMakeSlice[byte](mc, 0, size); return err },
	"TryRealloc":      func(mc palloc.Context, size int) error { _, err := palloc.TryRealloc(mc.Alloc(8), size); return err },
}

func TestRunningOutBecomesTheErrorOfAScope(t *testing.T) {
	mc := newRoot(t)
	for name, want := range wants {
		t.Run(name, func(t *testing.T) {
			returned := false
			err := palloc.Scope(mc, "greedy", func(mc palloc.Context) error {
				err := want(mc, absurd())
				returned = true
				return err
			})
			var oom *palloc.OutOfMemoryError
			if !errors.As(err, &oom) || returned != strings.HasPrefix(name, "Try") {
				t.Fatalf("the error is %v, returned: %v", err, returned)
			}
			wantOutOfMemory(t, oom, "Top/test/greedy")
			wantOrder(t, mc)
		})
	}
}

func wantOutOfMemory(t *testing.T, oom *palloc.OutOfMemoryError, path string) {
	t.Helper()
	text := oom.Error()
	for _, part := range []string{"palloc: out of memory", oom.Op, fmt.Sprint(absurd()), fmt.Sprintf("%q", path)} {
		if !strings.Contains(text, part) {
			t.Errorf("the text lacks %q: %s", part, text)
		}
	}
	if oom.Context != path || oom.Size != absurd() || strings.Contains(text, "\n") {
		t.Errorf("the error is %+v: %s", *oom, text)
	}
	if oom.Err == nil || !errors.Is(oom, oom.Err) || !errors.Is(oom, oom) {
		t.Error("the system's reason is not wrapped")
	}
}

func TestRunningOutInsideAnotherErrorIsFound(t *testing.T) {
	mc := newRoot(t)
	err := palloc.Scope(mc, "s", func(mc palloc.Context) error {
		_, err := mc.TryAlloc(absurd())
		panic(fmt.Errorf("reading the page: %w", err))
	})
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Context != "Top/test/s" {
		t.Errorf("Scope returned %v", err)
	}
}

func TestAContextSurvivesRunningOut(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 0)
		p := bytesAt(c.Alloc(100), 100)
		scribble(p, 1)
		before := c.Stats()
		if _, err := c.TryAlloc(absurd()); err == nil {
			t.Fatal("the absurd was granted")
		}
		if _, err := palloc.TryAppend(c, p, make([]byte, 8)...); err != nil {
			t.Error(err)
		}
		if k != palloc.KindBump {
			q := c.Alloc(100)
			if _, err := palloc.TryRealloc(q, absurd()); err == nil {
				t.Error("the absurd was granted")
			}
			palloc.FreePointer(q) // it is still live
		}
		if after := c.Stats(); after.Blocks < before.Blocks || c.IsEmpty() {
			t.Errorf("the accounts went from %+v to %+v", before, after)
		}
		wantOrder(t, mc)
	})
}

func TestScopesNest(t *testing.T) {
	mc := newRoot(t)
	sum := 0
	var nest func(mc palloc.Context, depth int) error
	nest = func(mc palloc.Context, depth int) error {
		if depth == 0 {
			mc.Alloc(absurd())
		}
		err := palloc.Scope(mc, "s", func(mc palloc.Context) error { return nest(mc, depth-1) })
		sum++
		return err
	}
	err := nest(mc, 10)
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || sum != 10 || oom.Context != "Top/test"+strings.Repeat("/s", 10) {
		t.Errorf("%d scopes ended with %v", sum, err)
	}
	wantNames(t, "afterwards", mc.All(), "test")
}

// outcomes are the ways in which a scope's function may end.
var outcomes = map[string]func(mc palloc.Context) error{
	"nothing":        func(palloc.Context) error { return nil },
	"an error":       func(palloc.Context) error { return errOwn },
	"a panic":        func(palloc.Context) error { panic(errOwn) },
	"no memory":      func(mc palloc.Context) error { mc.Alloc(absurd()); return nil },
	"a row's memory": func(mc palloc.Context) error { panic(wrapped(mc)) },
}

var errOwn = errors.New("its own")

// A wrapped is an error that wraps a memory error.
func wrapped(mc palloc.Context) error {
	_, err := mc.TryAlloc(absurd())
	return fmt.Errorf("row 17: %w", err)
}

// wantEnd checks how a scope ended: with the error that f returns, or with its panic.
func wantEnd(t *testing.T, how string, err error, panicked any) {
	t.Helper()
	var oom *palloc.OutOfMemoryError
	ok := panicked == nil
	switch how {
	case "nothing":
		ok = ok && err == nil
	case "an error":
		ok = ok && err == errOwn
	case "a panic":
		ok = panicked == errOwn
	case "no memory":
		ok = ok && errors.As(err, &oom) && err == oom
	default:
		ok = ok && errors.As(err, &oom) && strings.HasPrefix(err.Error(), "row 17: palloc: out of memory")
	}
	if !ok {
		t.Errorf("%s: the error is %v, the panic %v", how, err, panicked)
	}
}

// TestAScopeTellsWhatWentWrong ends scopes whose context was reset, deleted or moved before.
func TestAScopeTellsWhatWentWrong(t *testing.T) {
	for what, before := range map[string]func(mc palloc.Context){
		"nothing":          func(palloc.Context) {},
		"deletes it":       palloc.Context.Delete,
		"deletes a parent": func(mc palloc.Context) { mc.Parent().Delete() },
		"resets a parent":  func(mc palloc.Context) { mc.Parent().Reset() },
		"moves it":         func(mc palloc.Context) { mc.SetParent(mc.Parent().Parent()) },
	} {
		for how, end := range outcomes {
			t.Run(what+", then "+how, func(t *testing.T) {
				mc := newRoot(t)
				parent := palloc.NewAllocSet(mc, "parent")
				other := palloc.NewAllocSet(mc, "other")
				var inside palloc.Context
				var err error
				r := panics(func() {
					err = palloc.Scope(parent, "s", func(mc palloc.Context) error {
						inside = mc
						before(mc)
						return end(other)
					})
				})
				wantEnd(t, how, err, r)
				wantLive(t, false, inside)
				wantOrder(t, mc)
			})
		}
	}
}

// TestAScopesCallbacksAndItsFunctionAreBothTold has both fail: neither error hides the other,
// and all callbacks run.
func TestAScopesCallbacksAndItsFunctionAreBothTold(t *testing.T) {
	for how, end := range outcomes {
		for _, late := range []any{errors.New("late"), "late", wrapped(palloc.Top())} {
			mc := newRoot(t)
			ran := 0
			var inside palloc.Context
			var err error
			r := panics(func() {
				err = palloc.Scope(mc, "s", func(mc palloc.Context) error {
					inside = mc
					mc.BeforeReset(func() { ran++ })
					mc.BeforeReset(func() { ran++; panic(late) })
					return end(mc)
				})
			})
			wantLive(t, false, inside)
			if ran != 2 {
				t.Errorf("%s: %d of 2 callbacks ran", how, ran)
			}
			whole := err
			if r != nil {
				whole, _ = r.(error)
			}
			about, isError := late.(error)
			var oom *palloc.OutOfMemoryError
			isMemory := isError && errors.As(about, &oom)
			switch {
			case (r == nil) != (isMemory && how != "a panic"):
				t.Errorf("%s, then %v: the error is %v, the panic %v", how, late, err, r)
			case how == "nothing":
				if err != about && r != late {
					t.Errorf("it is not as it was: %v, %v", err, r)
				}
			case isError && !errors.Is(whole, about) || !strings.Contains(fmt.Sprint(whole), fmt.Sprint(late)):
				t.Errorf("%s: %v is not told: %v", how, late, whole)
			case !isMemory && strings.Contains(how, "memory") && !errors.As(whole, &oom), how[0] == 'a' && how != "a row's memory" && !errors.Is(whole, errOwn):
				t.Errorf("%s is not told: %v", how, whole)
			}
			wantOrder(t, mc)
		}
	}
}

// TestAnErrorOfAScopeKeepsItsFormattedText checks that fmt copies the text.
func TestAnErrorOfAScopeKeepsItsFormattedText(t *testing.T) {
	mc := newRoot(t)
	err := palloc.Scope(mc, "s", func(mc palloc.Context) error {
		return fmt.Errorf("bad key: %s", palloc.CloneString(mc, "user-17"))
	})
	palloc.Scope(mc, "s", func(mc palloc.Context) error {
		palloc.CloneString(mc, "XXXXXXX")
		return nil
	})
	if err.Error() != "bad key: user-17" {
		t.Errorf("the error says %q", err)
	}
}

// TestAScopeEndsWhateverItsCallbacksDo has many callbacks that panic or end the goroutine, in
// the scope's context and below it: each runs, and nothing is left.
func TestAScopeEndsWhateverItsCallbacksDo(t *testing.T) {
	const n = 1100
	for deed, do := range map[string]func(){"panics": func() { panic(errOwn) }, "ends its goroutine": runtime.Goexit} {
		for _, below := range []bool{false, true} {
			mc := newRoot(t)
			ran := 0
			ended := make(chan bool)
			go func() {
				defer close(ended)
				defer func() { _ = recover() }()
				_ = palloc.Scope(mc, "s", func(s palloc.Context) error {
					for range n {
						at := s
						if below {
							at = palloc.NewAllocSet(s, "below")
						}
						at.BeforeReset(func() { ran++; do() })
					}
					return nil
				})
			}()
			if <-ended; ran != n || count(mc) != 0 {
				t.Errorf("each of %d callbacks %s: %d ran, and %d contexts are left", n, deed, ran, count(mc))
			}
		}
	}
}

// TestAScopeWhoseCallbacksGoOnForEverEnds checks that it ends with the Fault.
func TestAScopeWhoseCallbacksGoOnForEverEnds(t *testing.T) {
	mc := newRoot(t)
	fault := faultOf(t, func() {
		palloc.Scope(mc, "s", func(mc palloc.Context) error {
			var again func()
			again = func() { mc.BeforeReset(again) }
			again()
			return errOwn
		})
	})
	if fault == nil || !strings.Contains(fault.Reason, "go on for ever") || count(mc) != 0 {
		t.Errorf("the Fault is %v, and %d contexts are left", fault, count(mc))
	}
}

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
