package stale

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc"
)

func useThenDelete(mc palloc.Context) int {
	r := palloc.New[row](mc)
	n := r.n
	mc.Delete()
	return n
}

func asksWhetherItLives(mc palloc.Context) bool {
	mc.Delete()
	return mc.Live()
}

func comparesIt(mc, other palloc.Context) bool {
	mc.Delete()
	for range mc.All() {
		return false
	}
	return mc == other
}

func onOnePath(mc palloc.Context, end bool) {
	if end {
		mc.Delete()
		return
	}
	mc.Alloc(10)
}

func byTheSameCondition(mc palloc.Context, end bool) {
	if end {
		mc.Delete()
	}
	if !end {
		mc.Alloc(10)
	}
}

func deferredIsLater(parent palloc.Context, w io.Writer) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	defer mc.WriteStats(w)
	mc.Alloc(10)
}

func createdAgain(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	mc.Delete()
	mc = palloc.NewAllocSet(parent, "c")
	mc.Alloc(10)
	mc.Delete()
}

func createdAgainInALoop(parent palloc.Context) {
	for range 10 {
		mc := palloc.NewAllocSet(parent, "c")
		mc.Alloc(10)
		mc.Delete()
	}
}

func createdAgainInAVariable(parent palloc.Context) func() {
	mc := palloc.NewAllocSet(parent, "c")
	again := func() { mc = palloc.NewAllocSet(parent, "c") }
	mc.Delete()
	again()
	mc.Alloc(10)
	return func() { mc.Delete() }
}

func resetIsNoEnd(mc palloc.Context) *row {
	mc.Alloc(10)
	mc.Reset()
	return palloc.New[row](mc)
}

func resetInALoop(mc palloc.Context, all []string) {
	for _, text := range all {
		mc.Reset()
		fmt.Println(palloc.CloneString(mc, text))
	}
}

func copiedBefore(mc palloc.Context) string {
	s := strings.Clone(palloc.CloneString(mc, "text"))
	mc.Reset()
	return s
}

func copiedSliceBefore(mc palloc.Context) []int {
	s := slices.Clone(palloc.MakeSlice[int](mc, 1, 1))
	mc.Reset()
	return s
}

func valueReadBefore(mc palloc.Context) row {
	r := *palloc.New[row](mc)
	mc.Reset()
	return r
}

func onlyItsLength(mc palloc.Context) int {
	s := palloc.MakeSlice[int](mc, 1, 1)
	mc.Reset()
	return len(s) + cap(s)
}

func emptied(mc palloc.Context) []int {
	s := palloc.MakeSlice[int](mc, 1, 1)
	mc.Reset()
	s = nil
	return palloc.Append(mc, s, 1)
}

func asksBeforeItUses(outer palloc.Context, move func()) {
	inner := palloc.NewBump(outer, "inner")
	move()
	outer.Delete()
	if inner.Live() {
		inner.Delete()
	}
}

func genericFree[T any](mc palloc.Context, v T) T {
	p := palloc.New[T](mc)
	*p = v
	v = *p
	palloc.Free(p)
	return v
}

func removedFromAMap(mc palloc.Context, all map[*row]int) {
	r := palloc.New[row](mc)
	all[r] = 1
	palloc.Free(r)
	delete(all, r)
}

func movedInACallback(mc, elsewhere palloc.Context) {
	below := palloc.NewBump(mc, "below")
	inner := palloc.NewBump(below, "inner")
	inner.BeforeReset(func() { below.SetParent(elsewhere) })
	mc.Delete()
	below.Alloc(10)
}

func childMovedAway(mc, elsewhere palloc.Context) {
	below := palloc.NewBump(mc, "below")
	r := palloc.New[row](below)
	below.SetParent(elsewhere)
	mc.Delete()
	r.n = 1
	below.Delete()
}

func resetOnlyKeepsChildren(mc palloc.Context) int {
	below := palloc.NewBump(mc, "below")
	r := palloc.New[row](below)
	mc.ResetOnly()
	return r.n
}

func ofAnotherContext(mc, other palloc.Context) int {
	r := palloc.New[row](other)
	mc.Reset()
	return r.n
}

func allocatedAgain(mc palloc.Context) int {
	r := palloc.New[row](mc)
	palloc.Free(r)
	r = palloc.New[row](mc)
	return r.n
}

func freedOnOnePath(mc palloc.Context, end bool) *row {
	r := palloc.New[row](mc)
	if end {
		palloc.Free(r)
		return nil
	}
	return r
}

func freedInALoop(mc palloc.Context) {
	for range 10 {
		r := palloc.New[row](mc)
		r.n = 1
		palloc.Free(r)
	}
}

func appended(mc palloc.Context) []int {
	s := palloc.Append(mc, []int(nil), 1)
	for i := range 10 {
		s = palloc.Append(mc, s, i)
	}
	return s
}

func grownAndReset(mc palloc.Context, n int) {
	var rows []row
	for i := range n {
		rows = palloc.Append(mc, rows, row{n: i})
		if len(rows) == 100 {
			fmt.Println(rows[0].n)
			mc.Reset()
			rows = nil
		}
	}
}

func filledAgainByAClosure(mc palloc.Context) int {
	var all []row
	fill := func() { all = palloc.Append(mc, all, row{}) }
	fill()
	mc.Reset()
	all = nil
	fill()
	return all[0].n
}

func grownInOneOfTwo(a, b palloc.Context, first bool) int {
	rows := palloc.MakeSlice[row](b, 1, 1)
	if first {
		rows = palloc.Append(a, rows, row{})
	}
	a.Reset()
	return len(rows) + rows[0].n
}

func freedList(first *row) {
	for r := first; r != nil; {
		next := r.next()
		palloc.Free(r)
		r = next
	}
}

func (r *row) next() *row { return nil }

func freedQueue(queue [][]byte) [][]byte {
	for len(queue) > 10 {
		palloc.FreeSlice(queue[0])
		queue = queue[1:]
	}
	return queue
}

func freedField(t *table) {
	palloc.FreeSlice(t.rows)
	t.rows = nil
	fmt.Println(t.rows)
}

type table struct{ rows []row }

func appendedToGoMemory(mc palloc.Context) int {
	s := []int{1, 2}
	longer := palloc.Append(mc, s, 3)
	return s[0] + longer[0]
}

func appendedInABump(parent palloc.Context) {
	mc := palloc.NewBump(parent, "rows")
	defer mc.Delete()
	s := palloc.Append(mc, []int(nil), 1)
	longer := palloc.Append(mc, s, 2)
	fmt.Println(s[0], longer)
}

func appendedToAPart(mc palloc.Context) int {
	s := palloc.Append(mc, []int(nil), 1, 2, 3)
	other := palloc.Append(mc, s[:2:2], 4)
	return s[2] + other[0]
}

func appendedNothing(mc palloc.Context) int {
	s := palloc.Append(mc, []int(nil), 1)
	same := palloc.Append(mc, s)
	return s[0] + same[0]
}

func appendedLengthOnly(mc palloc.Context) (int, []int) {
	s := palloc.Append(mc, []int(nil), 1)
	longer := palloc.Append(mc, s, 2)
	return len(s), longer
}

func triedToAppend(mc palloc.Context) []int {
	s := palloc.Append(mc, []int(nil), 1)
	longer, err := palloc.TryAppend(mc, s, 2)
	if err != nil {
		return s
	}
	return longer
}

func knowsWhetherItMoved(mc palloc.Context) {
	p := mc.Alloc(8)
	if q := palloc.Realloc(p, 9); q == p {
		*(*uint64)(p) = 1
	}
}

func whollyWritten(b *palloc.Buffer) {
	b.Write(strconv.AppendInt(b.AvailableBuffer(), 1, 10))
	b.Write(b.Bytes())
	fmt.Println(b.String())
}

func bufferAfterReset(mc palloc.Context) {
	b := palloc.NewBuffer(mc)
	mc.Reset()
	b.WriteString("it was never written to")
}

func bufferReusedInALoop(mc palloc.Context) {
	b := palloc.NewBuffer(mc)
	for i := range 10 {
		b.Reset()
		fmt.Fprint(b, i)
		fmt.Println(b.String())
	}
}

func (n *node) reopened() {
	n.perTuple.Delete()
	n.open()
	n.perTuple.Alloc(10)
}

func (n *node) open() { n.perTuple = palloc.NewAllocSet(palloc.Top(), "c") }

func (n *node) replaced() {
	n.perTuple.Delete()
	n.perTuple = palloc.NewAllocSet(palloc.Top(), "c")
	n.perTuple.Alloc(10)
}

func printsAnAddress(mc palloc.Context) {
	r := palloc.New[row](mc)
	palloc.Free(r)
	fmt.Printf("%p\n", r)
}

func misusedOnPurpose(mc palloc.Context) {
	mc.Delete()
	mc.Alloc(10) //palloc:ok the test wants the panic
}
