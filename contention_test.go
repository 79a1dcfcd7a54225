package palloc_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"

	"github.com/gopalloc/palloc"
)

// contended are operations that take a lock that others take, each made for one goroutine.
var contended = []struct {
	name string
	make func(shared palloc.Context) (do func())
}{
	{"SharedPair", func(shared palloc.Context) func() {
		return func() { palloc.FreePointer(shared.Alloc(64)) }
	}},
	{"CachedChild", func(shared palloc.Context) func() { // takes no lock
		parent := palloc.NewAllocSet(shared, "parent")
		return func() { palloc.NewAllocSet(parent, "call").Delete() }
	}},
	{"ChildOfOne", func(shared palloc.Context) func() {
		return func() { palloc.NewAllocSet(shared, "call").Delete() }
	}},
	{"SetIdent", func(shared palloc.Context) func() {
		mc := palloc.NewAllocSet(shared, "named")
		return func() { mc.SetIdent("SELECT 1") }
	}},
	{"LargePair", func(shared palloc.Context) func() {
		mc := palloc.NewAllocSet(shared, "large")
		return func() { palloc.FreePointer(mc.Alloc(20 << 10)) }
	}},
}

// BenchmarkContention shows where goroutines begin to wait for each other: b.N operations of
// each of 1 to 16 goroutines, on 16 threads, and how long they waited for mutexes. The figure
// also has the time for which a waiting thread was not on a processor.
func BenchmarkContention(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	for _, op := range contended {
		for _, n := range []int{1, 2, 4, 8, 16} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", op.name, n), func(b *testing.B) {
				shared := palloc.NewAllocSet(palloc.Top(), "contended", palloc.Shared())
				defer shared.Delete()
				waited := mutexWait()
				var all sync.WaitGroup
				for range n {
					do := op.make(shared)
					all.Go(func() {
						for range b.N {
							do()
						}
					})
				}
				all.Wait()
				b.ReportMetric((mutexWait()-waited)*1e9/float64(b.N)/float64(n), "wait-ns/op")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/op")
			})
		}
	}
}

// mutexWait returns the seconds for which all goroutines have waited for mutexes.
func mutexWait() float64 {
	s := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64()
}
