package leak

import (
	"context"
	"errors"
	"os"
	"runtime"

	"github.com/gopalloc/palloc"
)

func deferred() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer mc.Delete()
	mc.Alloc(10)
}

func deletedAtTheEnd() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	mc.Alloc(10)
	mc.Delete()
}

func deletedOnBothPaths(fail bool) error {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	if fail {
		mc.Delete()
		return errors.New("failed")
	}
	mc.Delete()
	return nil
}

func deferredByAFunction() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer finish(mc)
	mc.Alloc(10)
}

func deferredWithAnArgument() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer func(mc palloc.Context) { mc.Delete() }(mc)
	mc.Alloc(10)
}

func oneOfSeveral(kind int) {
	var mc palloc.Context
	switch kind {
	case 0:
		mc = palloc.NewAllocSet(palloc.Top(), "c")
	case 1:
		mc = palloc.NewBump(palloc.Top(), "c")
	}
	defer mc.Delete()
	mc.Alloc(10)
}

func inAnArray() {
	both := [2]palloc.Context{palloc.NewAllocSet(palloc.Top(), "a"), palloc.NewAllocSet(palloc.Top(), "b")}
	for _, mc := range both {
		mc.Delete()
	}
}

func servesForEver(requests <-chan int) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	for {
		select {
		case n := <-requests:
			mc.Alloc(n)
			mc.Reset()
		}
	}
}

func generic[T any](values []T) int {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer mc.Delete()
	return len(palloc.Clone(mc, values))
}

func inARangeOverAFunction(all func(func(int) bool)) int {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer mc.Delete()
	for n := range all {
		if n == 0 {
			return 0
		}
		mc.Alloc(n)
	}
	return 1
}

func deferredInALiteral() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	defer func() {
		mc.Delete()
	}()
	mc.Alloc(10)
}

func deletedThroughItsParent() {
	outer := palloc.NewAllocSet(palloc.Top(), "c")
	defer outer.Delete()
	inner := palloc.NewBump(outer, "inner")
	inner.Alloc(10)
	palloc.NewBump(inner, "below").Alloc(10)
}

func deletedThroughTheScope() error {
	return palloc.Scope(palloc.Top(), "s", func(mc palloc.Context) error {
		rows := palloc.NewBump(mc, "rows")
		rows.Alloc(10)
		return nil
	})
}

// What is below a parameter ends with it, as in a Scope.
func belowAParameter(parent palloc.Context) int {
	mc := palloc.NewBump(parent, "rows")
	return len(palloc.MakeSlice[int](mc, 10, 10))
}

func (s *server) handle(mc palloc.Context) error {
	palloc.NewBump(mc, "rows").Alloc(10)
	return nil
}

func inAScopeOfAMethod(s *server) error { return palloc.Scope(s.mc, "request", s.handle) }

func belowWhatAFunctionReturns() {
	mc := palloc.NewBump(returned(), "rows")
	mc.Alloc(10)
}

func returned() palloc.Context {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	mc.SetLimit(1 << 20)
	return mc
}

func namedResult() (mc palloc.Context) {
	mc = palloc.NewAllocSet(palloc.Top(), "c")
	return
}

func inAStruct() *server {
	return &server{mc: palloc.NewAllocSet(palloc.Top(), "c")}
}

func inAField(s *server) {
	s.mc = palloc.NewAllocSet(palloc.Top(), "c")
}

var global palloc.Context

func inAGlobal() { global = palloc.NewAllocSet(palloc.Top(), "c") }

var atTheBeginning = palloc.NewAllocSet(palloc.Top(), "global")

func inAMap(all map[string]palloc.Context) {
	all["c"] = palloc.NewAllocSet(palloc.Top(), "c")
}

func inASlice() (all []palloc.Context) {
	for range 10 {
		all = append(all, palloc.NewAllocSet(palloc.Top(), "c"))
	}
	return all
}

func inAChannel(to chan palloc.Context) {
	to <- palloc.NewAllocSet(palloc.Top(), "c")
}

func inAContext(ctx context.Context) context.Context {
	return palloc.NewGoContext(ctx, palloc.NewAllocSet(palloc.Top(), "c"))
}

func tied(s *server) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	palloc.Tie(s, mc)
	runtime.KeepAlive(s)
}

func moved(parent palloc.Context) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	mc.SetParent(parent)
}

func passedOut(keep func(palloc.Context)) {
	keep(palloc.NewAllocSet(palloc.Top(), "c"))
}

func passedToOneThatKeepsIt(s *server) {
	s.keep(palloc.NewAllocSet(palloc.Top(), "c"))
}

func (s *server) keep(mc palloc.Context) { s.mc = mc }

func passedToOneThatDeletesIt() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	finish(mc)
}

func finish(mc palloc.Context) {
	mc.Reset()
	mc.Delete()
}

func passedToAGoroutine() {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	go finish(mc)
}

func capturedByOneThatDeletesIt() (finish func()) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	return func() { mc.Delete() }
}

func asAMethodValue(cleanup func(func())) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	cleanup(mc.Delete)
}

func asAnInterface(keep func(any)) {
	keep(palloc.NewAllocSet(palloc.Top(), "c"))
}

func setTwice(again bool) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	if again {
		mc.Delete()
		mc = palloc.NewBump(palloc.Top(), "c")
	}
	mc.Delete()
}

func sometimesOfItsOwn(mc palloc.Context, own bool) {
	if own {
		mc = palloc.NewAllocSet(palloc.Top(), "c")
		defer mc.Delete()
	}
	mc.Alloc(10)
}

func inALoop(n int) {
	for range n {
		mc := palloc.NewAllocSet(palloc.Top(), "c")
		mc.Alloc(10)
		mc.Delete()
	}
}

func inALoopWithContinue(all []int) {
	for _, n := range all {
		mc := palloc.NewAllocSet(palloc.Top(), "c")
		if n == 0 {
			mc.Delete()
			continue
		}
		mc.Alloc(n)
		mc.Delete()
	}
}

func panics(fail bool) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	if fail {
		panic("failed")
	}
	mc.Delete()
}

func exits(fail bool) {
	mc := palloc.NewAllocSet(palloc.Top(), "c")
	if fail {
		os.Exit(1)
	}
	mc.Delete()
}

// A tree lives in a context of its own, which ends with that of the caller.
func tree(parent palloc.Context) *[4]uint64 {
	mc := palloc.NewBump(parent, "tree")
	return palloc.New[[4]uint64](mc)
}

func cached(parent palloc.Context, all map[int][]byte) {
	mc := palloc.NewAllocSet(parent, "pages")
	all[1] = palloc.MakeSlice[byte](mc, 10, 10)
}

func whatIsConditional(parent palloc.Context, deletes bool) {
	mc := palloc.NewAllocSet(parent, "c")
	mc.Alloc(10)
	if deletes {
		mc.Delete()
	}
}

func silenced() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") //palloc:ok it lives as long as the process
	mc.Alloc(10)
}
