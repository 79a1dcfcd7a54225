package btree_test

import (
	"cmp"
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/btree"
)

func Example() {
	mc := palloc.NewAllocSet(palloc.Top(), "prices")
	defer mc.Delete()
	cents := btree.New[int, int](mc) // by article
	for i := range 10 {
		cents.Put(100+i, 5*i)
	}
	cents.Delete(103)
	for article, c := range cents.Range(102, 106) {
		fmt.Println(article, c)
	}
	article, _, _ := cents.Floor(103)
	fmt.Println("before 103:", article)
	// Output:
	// 102 10
	// 104 20
	// 105 25
	// before 103: 102
}

// A loop may delete the entry that it was given, or any other one.
func ExampleMap_All() {
	mc := palloc.NewAllocSet(palloc.Top(), "timers")
	defer mc.Delete()
	type timer struct{ at, id int }
	timers := btree.NewFunc[timer, struct{}](mc, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
	})
	for id := range 6 {
		timers.Put(timer{at: 10 * (id % 3), id: id}, struct{}{})
	}
	for t := range timers.All() {
		if t.at > 10 {
			break
		}
		timers.Delete(t)
		fmt.Println("due:", t.id)
	}
	fmt.Println("left:", timers.Len())
	// Output:
	// due: 0
	// due: 3
	// due: 1
	// due: 4
	// left: 2
}
