package heap_test

import (
	"cmp"
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/heap"
)

type task struct{ due, id, index int }

// Tasks know their indices, so that one of them can be moved or taken out.
func ExampleHeap_Track() {
	mc := palloc.NewAllocSet(palloc.Top(), "tasks")
	defer mc.Delete()
	at := map[int]int{} // the index of a task
	tasks := heap.NewFunc(mc, func(a, b task) int { return cmp.Compare(a.due, b.due) })
	tasks.Track(func(t *task, i int) { at[t.id] = i })
	for id, due := range []int{50, 20, 40, 10, 30} {
		tasks.Push(task{due: due, id: id})
	}
	tasks.At(at[0]).due = 5
	tasks.Fix(at[0])
	tasks.Remove(at[2])
	for t, ok := tasks.Pop(); ok; t, ok = tasks.Pop() {
		fmt.Println("task", t.id, "at", t.due)
	}
	// Output:
	// task 0 at 5
	// task 3 at 10
	// task 1 at 20
	// task 4 at 30
}

func ExampleHeap_Init() {
	mc := palloc.NewAllocSet(palloc.Top(), "numbers")
	defer mc.Delete()
	numbers := heap.New[int](mc)
	numbers.Init(palloc.Clone(mc, []int{3, 1, 2}))
	least, _ := numbers.Pop()
	fmt.Println(least, numbers.Len())
	// Output: 1 2
}
