package cell

import (
	"sync"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/process"
	"github.com/gopalloc/palloc/trace/backend"
)

// goroutines-10000: what palloc takes for many small contexts: 10,000 goroutines
// with 8 AllocSets each, each with 1 KiB in use. `ratio` is what became resident
// for it, divided by what is in use.
//
// The goroutines are there, and their stacks have their size, before the base is
// taken: stacks are not counted.
//
// Invariant: all contexts live when the memory is read. Cost: 16 KiB of stack a
// goroutine.

const (
	contextsEach = 8
	chunksEach   = 16
)

func init() {
	join("palloc", map[string]workload{"goroutines-10000": goroutines})
}

func goroutines(string) (figures, error) {
	crowd := newCrowd(scale.goroutines)
	defer crowd.leave()
	backend.GiveBack()
	mark := process.MarkResident()
	crowd.work()
	bytes, err := peak(mark)
	inUse := scale.goroutines * contextsEach * chunksEach * 64
	return figures{"ratio": bytes / float64(inUse)}, err
}

// crowd is a number of goroutines that wait to work, and then to end.
type crowd struct {
	begin, end            chan struct{}
	ready, done, departed sync.WaitGroup
}

// newCrowd starts n goroutines, and returns when all of them wait.
func newCrowd(n int) *crowd {
	c := &crowd{begin: make(chan struct{}), end: make(chan struct{})}
	c.ready.Add(n)
	c.done.Add(n)
	for range n {
		c.departed.Go(c.member)
	}
	c.ready.Wait()
	return c
}

func (c *crowd) work()  { close(c.begin); c.done.Wait() }
func (c *crowd) leave() { close(c.end); c.departed.Wait() }

// member is one of them. Its frame reserves stack that the collector cannot shrink,
// and that all it does fits in.
func (c *crowd) member() {
	var room [9 << 10]byte
	occupy(room[:])
	c.ready.Done()
	select {
	case <-c.begin:
	case <-c.end:
		return
	}
	var contexts [contextsEach]palloc.Context
	for i := range contexts {
		contexts[i] = smallContext()
	}
	c.done.Done()
	<-c.end
	for _, mc := range contexts {
		mc.Delete()
	}
	occupy(room[:])
}

// occupy keeps a part of the stack from being optimized away.
//
//go:noinline
func occupy(stack []byte) { stack[0]++ }

// smallContext returns an AllocSet with 1 KiB in use, every byte of it written.
func smallContext() palloc.Context {
	mc := palloc.NewAllocSet(palloc.Top(), "small")
	for i := range uint64(chunksEach) {
		*palloc.NewUninitialized[plain64](mc) = plain64{i, i, i, i, i, i, i, i}
	}
	return mc
}
