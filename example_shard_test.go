package palloc_test

import (
	"fmt"
	"time"

	"github.com/gopalloc/palloc"
)

// A linesShard is the data of one goroutine: no other goroutine uses it, and it needs no
// lock.
type linesShard struct {
	mc    palloc.Context
	lines [][]byte // the oldest first
}

// evict frees the oldest lines. It runs in the shard's goroutine, whichever goroutine needs
// the memory.
func (s *linesShard) evict(p palloc.Pressure) error {
	for freed := int64(0); freed < p.Need; {
		if len(s.lines) == 0 {
			return fmt.Errorf("the shard is empty")
		}
		freed += int64(len(s.lines[0]))
		palloc.FreeSlice(s.lines[0])
		s.lines = s.lines[1:]
	}
	s.mc.Compact() // releases whole blocks: a line is smaller than a block
	return nil
}

// run fills the shard, and then serves until stop is closed.
func (s *linesShard) run(full chan<- bool, stop <-chan bool) {
	s.mc.OnPressureOwned(s.evict)
	for range 5000 {
		s.lines = append(s.lines, palloc.MakeSlice[byte](s.mc, 100, 100))
	}
	close(full)
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond): // or any other event
			s.mc.AnswerPressure() // its allocations do the same, but there are none here
		}
	}
}

// Two goroutines under one limit: when one needs memory that the other holds, the other
// frees it, without a lock.
func ExampleContext_OnPressureOwned() {
	db := palloc.NewAllocSet(palloc.Top(), "db")
	defer db.Delete()
	db.SetLimit(1 << 20)

	s := &linesShard{mc: palloc.NewAllocSet(db, "shard")}
	full, stop, done := make(chan bool), make(chan bool), make(chan bool)
	go func() { defer close(done); s.run(full, stop) }()
	<-full

	query := palloc.NewAllocSet(db, "query")
	_, err := query.TryAlloc(600_000)
	for try := 1; err != nil && try < 10; try++ { // the shard did not run for 100 ms
		_, err = query.TryAlloc(600_000)
	}
	close(stop)
	<-done
	fmt.Println("error:", err)
	fmt.Println("the shard gave way:", len(s.lines) < 5000, "and keeps some lines:", len(s.lines) > 0)
	// Output:
	// error: <nil>
	// the shard gave way: true and keeps some lines: true
}
