package deque_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/deque"
)

func Example() {
	mc := palloc.NewAllocSet(palloc.Top(), "jobs")
	defer mc.Delete()
	jobs := deque.New[int](mc)
	for id := range 4 {
		jobs.PushBack(id)
	}
	jobs.PushFront(-1) // an urgent one
	for id, ok := jobs.PopFront(); ok; id, ok = jobs.PopFront() {
		fmt.Print(id, " ")
	}
	// Output: -1 0 1 2 3
}
