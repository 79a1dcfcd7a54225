package owner

import (
	"fmt"
	"io"
	"sync"

	"github.com/gopalloc/palloc"
)

type group struct{ wg sync.WaitGroup }

func (g *group) Go(f func() error) { g.wg.Go(func() { _ = f() }) }

func (g *group) Wait() error { g.wg.Wait(); return nil }

func bothAllocate(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go func() { // want `the goroutine uses a context that line \d+ uses without waiting for it`
		mc.Alloc(10)
	}()
	mc.Alloc(10)
}

func passed(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go work(mc) // want `the goroutine uses a context that line \d+ uses without waiting`
	palloc.New[int](mc)
}

func work(mc palloc.Context) { palloc.New[int](mc) }

func passedToALiteral(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go func(mine palloc.Context) { // want `the goroutine uses a context`
		palloc.CloneString(mine, "text")
	}(mc)
	palloc.CloneString(mc, "text")
}

func deletedMeanwhile(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go func() { // want `the goroutine uses a context`
		mc.Alloc(10)
	}()
	mc.Delete()
}

func deletedOnReturn(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	go func() { // want `the goroutine uses a context that line \d+ deletes on return without waiting for it`
		mc.Alloc(10)
	}()
}

func twoGoroutines(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go func() { mc.Alloc(10) }() // want `the goroutine uses a context`
	go func() { mc.Alloc(20) }()
}

func inALoop(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() { // want `each goroutine that the loop starts uses the same context: create a child for each, or the context with palloc.Shared\(\)`
			defer wg.Done()
			mc.Alloc(10)
		}()
	}
	wg.Wait()
	mc.Delete()
}

func inALoopWithWaitGroup(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { mc.Alloc(10) }) // want `each goroutine that the loop starts uses the same context`
	}
	wg.Wait()
}

func inALoopWithGroup(parent palloc.Context) error {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var g group
	for range 4 {
		g.Go(func() error { // want `each goroutine that the loop starts uses the same context`
			_, err := mc.TryAlloc(10)
			return err
		})
	}
	return g.Wait()
}

func inALoopPassed(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	for range 4 {
		go work(mc) // want `each goroutine that the loop starts uses the same context`
	}
}

func withWaitGroupAndParent(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var wg sync.WaitGroup
	wg.Go(func() { mc.Alloc(10) }) // want `the goroutine uses a context that line \d+ uses without waiting`
	mc.Alloc(10)
	wg.Wait()
}

func ofAScope(parent palloc.Context) error {
	return palloc.Scope(parent, "s", func(mc palloc.Context) error {
		go func() { // want `the goroutine uses a context that line \d+ uses without waiting`
			mc.Alloc(10)
		}()
		mc.Alloc(10)
		return nil
	})
}

func inALoopOfAScope(parent palloc.Context) error {
	return palloc.Scope(parent, "s", func(mc palloc.Context) error {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { palloc.Append(mc, []int(nil), 1) }) // want `each goroutine that the loop starts uses the same context`
		}
		wg.Wait()
		return nil
	})
}

func throughAHelper(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go func() { // want `the goroutine uses a context`
		work(mc)
	}()
	work(mc)
}

func throughABuffer(parent palloc.Context, w io.Writer) {
	mc := palloc.NewBump(parent, "c", palloc.BlockSizes(1<<10, 1<<20))
	b := palloc.NewBuffer(mc)
	go func() { // want `the goroutine uses a context`
		b.WriteString("text")
	}()
	mc.Alloc(10)
	fmt.Fprintln(w, "started")
}

func resetsMeanwhile(parent palloc.Context) {
	mc := palloc.NewGeneration(parent, "c")
	go mc.Reset() // want `the goroutine uses a context`
	mc.Alloc(10)
}

func waitsOnlyOnOnePath(parent palloc.Context, wait bool) {
	mc := palloc.NewAllocSet(parent, "c")
	var wg sync.WaitGroup
	wg.Go(func() { mc.Alloc(10) }) // want `the goroutine uses a context`
	if wait {
		wg.Wait()
	}
	mc.Alloc(10)
}
