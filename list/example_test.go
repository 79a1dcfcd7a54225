package list_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/list"
)

type page struct {
	palloc.NoHeapPointers
	number int
	recent list.Links[page]
}

// A cache drops the page that was used least recently.
func Example() {
	mc := palloc.NewAllocSet(palloc.Top(), "cache")
	defer mc.Delete()
	recent := list.New(func(p *page) *list.Links[page] { return &p.recent })
	pages := map[int]*page{}
	for _, number := range []int{1, 2, 3, 1, 4} {
		if p := pages[number]; p != nil {
			recent.MoveToFront(p)
			continue
		}
		p := palloc.New[page](mc)
		p.number, pages[number] = number, p
		if recent.PushFront(p); recent.Len() > 3 {
			last := recent.PopBack()
			delete(pages, last.number)
			palloc.Free(last)
		}
	}
	for p := range recent.All() {
		fmt.Print(p.number, " ")
	}
	// Output: 4 1 3
}
