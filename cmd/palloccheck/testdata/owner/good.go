package owner

import (
	"sync"

	"github.com/gopalloc/palloc"
)

func waits(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		mc.Alloc(10)
	}()
	wg.Wait()
	mc.Alloc(10)
}

func waitsForAChannel(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	done := make(chan bool)
	go func() {
		defer close(done)
		mc.Alloc(10)
	}()
	<-done
	mc.Delete()
}

func waitsForAGroup(parent palloc.Context) error {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var g group
	g.Go(func() error { mc.Alloc(10); return nil })
	if err := g.Wait(); err != nil {
		return err
	}
	mc.Alloc(10)
	return nil
}

func waitsInADefer(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { mc.Alloc(10) })
}

func handsOver(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	mc.Alloc(10)
	go func() {
		mc.Alloc(10)
		mc.Delete()
	}()
}

func handsOverByAChannel(parent palloc.Context, to chan palloc.Context) {
	go func() {
		mc := <-to
		mc.Alloc(10)
		mc.Delete()
	}()
	mc := palloc.NewAllocSet(parent, "c")
	mc.Alloc(10)
	to <- mc
}

func receivesBefore(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	begin := make(chan bool)
	go func() {
		<-begin
		mc.Alloc(10)
		mc.Delete()
	}()
	mc.Alloc(10)
	close(begin)
}

func underALock(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	var mu sync.Mutex
	for range 4 {
		go func() {
			mu.Lock()
			defer mu.Unlock()
			mc.Alloc(10)
		}()
	}
}

func shared(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c", palloc.Shared())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { mc.Alloc(10) })
	}
	mc.Alloc(10)
	wg.Wait()
	mc.Delete()
}

func sharedPerhaps(parent palloc.Context, opts []palloc.Option) {
	mc := palloc.NewAllocSet(parent, "c", opts...)
	go func() { mc.Alloc(10) }()
	mc.Alloc(10)
}

func childForEach(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			mine := palloc.NewBump(mc, "mine")
			defer mine.Delete()
			mine.Alloc(10)
		})
	}
	mc.Alloc(10)
	wg.Wait()
}

func scopeForEach(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	for range 4 {
		go func() {
			_ = palloc.Scope(mc, "s", func(mine palloc.Context) error {
				mine.Alloc(10)
				return nil
			})
		}()
	}
	mc.Alloc(10)
}

func contextForEach(parent palloc.Context) {
	for range 4 {
		mc := palloc.NewAllocSet(parent, "c")
		go func() {
			defer mc.Delete()
			mc.Alloc(10)
		}()
	}
}

func statistics(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	go func() {
		_, _, _ = mc.Held(), mc.Stats(), mc.Path()
		mc.SetIdent("text")
	}()
	mc.Alloc(10)
}

func oneAfterTheOther(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	for range 4 {
		done := make(chan bool)
		go func() { mc.Alloc(10); close(done) }()
		<-done
	}
}

func ofACaller(mc palloc.Context) {
	go func() { mc.Alloc(10) }()
	mc.Alloc(10)
}

func onDifferentPaths(parent palloc.Context, apart bool) {
	mc := palloc.NewAllocSet(parent, "c")
	if apart {
		go work(mc)
		return
	}
	work(mc)
}

func waitsThroughAFunction(parent palloc.Context, wait func()) {
	mc := palloc.NewAllocSet(parent, "c")
	go work(mc)
	wait()
	mc.Delete()
}

func silenced(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	go work(mc) //palloc:ok the test wants the race
	work(mc)
}
