package main

import (
	"cmp"
	"container/heap"
	"fmt"
	"io"
	"slices"
	"strings"
)

// What both implementations do with a group: its sums, its median, and the choice of the best groups.
//
// Invariant: the least of the best groups is the first of the heap.
//
// Cost: a comparison for a group that is not among the best, a copy of its strings for one that is.

// A group is of a customer and a year.
type group struct {
	customer uint32
	year     int32
}

func (r row) group() group { return group{r.customer, r.day / 10000} }

// Totals are what the rows of a group sum up to.
type totals struct {
	count, sum int64
	order      int64 // the latest one
	day        int32 // its day
}

// add adds a row, and reports whether it is the latest so far.
func (t *totals) add(r row) (latest bool) {
	latest = t.count == 0 || r.day > t.day || r.day == t.day && r.order > t.order
	if latest {
		t.day, t.order = r.day, r.order
	}
	t.count++
	t.sum += r.cents
	return latest
}

// median returns the lower median, and sorts the values.
func median(cents []int64) int64 {
	slices.Sort(cents)
	return cents[(len(cents)-1)/2]
}

// An answer is a group with all that is printed of it.
type answer struct {
	group
	totals
	median     int64
	name, note string
}

// A top has the groups with the greatest sums, the least one first: it is a heap.Interface.
type top struct{ best []answer }

const maxBest = 100

func newTop() *top { return &top{} }

// Len, Less, Swap, Push and Pop are for container/heap.
func (t *top) Len() int           { return len(t.best) }
func (t *top) Less(i, j int) bool { return before(t.best[j], t.best[i]) < 0 }
func (t *top) Swap(i, j int)      { t.best[i], t.best[j] = t.best[j], t.best[i] }
func (t *top) Push(a any)         { t.best = append(t.best, a.(answer)) }

func (t *top) Pop() any {
	last := t.best[len(t.best)-1]
	t.best = t.best[:len(t.best)-1]
	return last
}

// before is negative when a comes before b: the greater sum first.
func before(a, b answer) int {
	return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(a.customer, b.customer), cmp.Compare(a.year, b.year))
}

// offer adds an answer if it is among the best, with copies of its strings.
func (t *top) offer(a answer) {
	if len(t.best) == maxBest && before(a, t.best[0]) > 0 {
		return
	}
	a.name, a.note = strings.Clone(a.name), strings.Clone(a.note)
	heap.Push(t, a)
	if len(t.best) > maxBest {
		heap.Pop(t)
	}
}

// print prints the answers, the best first.
func (t *top) print(w io.Writer) error {
	slices.SortFunc(t.best, before)
	for _, a := range t.best {
		if _, err := fmt.Fprintf(w, "%s, %d: %d orders, sum %d, median %d, latest %d: %s\n",
			a.name, a.year, a.count, a.sum, a.median, a.day, a.note); err != nil {
			return err
		}
	}
	return nil
}
