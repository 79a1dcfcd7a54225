package heapstore

import (
	"fmt"
	"strings"

	"github.com/gopalloc/palloc"
)

type plain struct {
	name string
	row  *row
	rows []row
}

func cloned(mc palloc.Context, n int) {
	r := palloc.New[row](mc)
	r.name = palloc.CloneString(mc, fmt.Sprint(n))
	r.name = palloc.Sprintf(mc, "row %d", n)
	r.name = strings.TrimSpace(palloc.CloneString(mc, " row "))
	r.data = palloc.Clone(mc, []byte("text"))
	r.data = palloc.Append(mc, r.data, 1)
	r.data = palloc.MakeSlice[byte](mc, 1, 1)[:0]
	r.next = palloc.New[row](mc)
	r.words = palloc.Grow[row](mc, nil, 10)
}

func static(mc palloc.Context) {
	r := palloc.New[row](mc)
	r.name = "constant"
	r.name = "con" + "stant"
	r.run = one
	r.run = func() int { return 1 }
	r.next, r.data, r.name = nil, nil, ""
}

func one() int { return 1 }

func notKnown(mc palloc.Context, name string, data []byte, next *row) {
	r := palloc.New[row](mc)
	r.name, r.data, r.next = name, data, next
	r.in = inner{name}
}

func ofABuffer(mc palloc.Context) {
	b := palloc.NewBuffer(mc)
	b.WriteString("text")
	r := palloc.New[row](mc)
	r.name, r.data = b.String(), b.Bytes()
}

func ofAnotherRow(mc palloc.Context, other *row) {
	r := palloc.New[row](mc)
	r.name, r.next = other.name, other
	*r = *other
}

func onGosHeap(n int) *row {
	return &row{name: fmt.Sprint(n)}
}

func inAGoVariable(n int) string {
	var r row
	r.name = fmt.Sprint(n)
	r.next = &row{}
	return r.name + r.next.name
}

func inAGoSlice(n int) []row {
	rows := make([]row, 10)
	rows[0].name = fmt.Sprint(n)
	return append(rows, row{name: fmt.Sprint(n)})
}

func goStructThatPointsToAContext(mc palloc.Context, n int) *plain {
	p := &plain{name: fmt.Sprint(n)}
	p.row = palloc.New[row](mc)
	p.rows = make([]row, 1)
	return p
}

func inASliceOfAStruct(t *table, n int) {
	t.rows[n].name = fmt.Sprint(n)
}

type table struct{ rows []row }

func clonedLater(mc palloc.Context, n int) {
	name := fmt.Sprint(n)
	name = palloc.CloneString(mc, name)
	palloc.New[row](mc).name = name
}

func literalOfTheContext(mc palloc.Context, text string) (rows []row) {
	return palloc.Append(mc, rows, row{name: palloc.CloneString(mc, text), next: palloc.New[row](mc)})
}

func silenced(mc palloc.Context, n int) {
	palloc.New[row](mc).name = fmt.Sprint(n) //palloc:ok the list of names keeps it alive
}
