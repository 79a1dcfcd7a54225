package stale

import (
	"fmt"
	"io"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

type row struct {
	palloc.NoHeapPointers
	n    int
	name string
}

func afterDelete(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	mc.Delete()
	mc.Alloc(10) // want `the context is used after the Context.Delete at line \d+`
}

func everyUse(mc palloc.Context) {
	mc.Delete()
	palloc.New[row](mc)                // want `used after the Context.Delete`
	_ = palloc.CloneString(mc, "text") // want `used after the Context.Delete`
	_ = palloc.NewBump(mc, "below")    // want `used after the Context.Delete`
	_ = mc.Held()                      // want `used after the Context.Delete`
	_ = mc.Path()                      // want `used after the Context.Delete`
	_ = mc.Check()                     // want `used after the Context.Delete`
	mc.SetLimit(1 << 20)               // want `used after the Context.Delete`
	mc.Reset()                         // want `used after the Context.Delete`
}

func twice(mc palloc.Context) {
	mc.Delete()
	mc.Delete() // want `used after the Context.Delete`
}

func twiceAtTheEnd(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Delete()
	mc.Alloc(10)
	mc.Delete() // want `the context is deleted here, and again by the defer at line \d+`
}

func deferredBeforeDelete(parent palloc.Context, w io.Writer) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.WriteStats(w) // want `the deferred Context.WriteStats runs after the Delete that line \d+ defers`
	defer mc.Delete()
	mc.Alloc(10)
}

func deferredReset(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	defer mc.Reset() // want `the deferred Context.Reset runs after the Delete`
	defer mc.Delete()
}

func childAfterItsParent(top palloc.Context) {
	outer := palloc.NewAllocSet(top, "outer")
	inner := palloc.NewBump(outer, "inner")
	outer.Delete()
	inner.Alloc(10) // want `the context is used after the Context.Delete`
}

func childAfterReset(outer palloc.Context) {
	inner := palloc.NewBump(outer, "inner")
	outer.Reset()
	inner.Delete() // want `the context is used after the Context.Reset`
}

func grandchildAfterDeleteChildren(outer palloc.Context) {
	inner := palloc.NewBump(outer, "inner")
	below := palloc.NewBump(inner, "below")
	outer.DeleteChildren()
	below.Alloc(10) // want `the context is used after the Context.DeleteChildren`
}

func pointerAfterDelete(parent palloc.Context) int {
	mc := palloc.NewAllocSet(parent, "c")
	r := palloc.New[row](mc)
	mc.Delete()
	return r.n // want `memory of a context is used after the Context.Delete at line \d+`
}

func pointerAfterReset(mc palloc.Context) {
	r := palloc.New[row](mc)
	mc.Reset()
	r.n = 1 // want `memory of a context is used after the Context.Reset`
}

func sliceAfterReset(mc palloc.Context) int {
	s := palloc.MakeSlice[int](mc, 10, 10)
	mc.Reset()
	return s[3] // want `memory of a context is used after the Context.Reset`
}

func partAfterReset(mc palloc.Context) {
	s := palloc.MakeSlice[int](mc, 10, 10)[2:5]
	mc.ResetOnly()
	clear(s) // want `memory of a context is used after the Context.ResetOnly`
}

func stringAfterReset(mc palloc.Context) {
	s := palloc.CloneString(mc, "text")
	mc.Reset()
	fmt.Println(s) // want `memory of a context is used after the Context.Reset`
}

func stringReturned(mc palloc.Context) string {
	s := palloc.Sprintf(mc, "%d", 1)
	mc.Reset()
	return s // want `memory of a context is used after the Context.Reset`
}

func stringCompared(mc palloc.Context, other string) bool {
	s := palloc.CloneString(mc, "text")
	mc.Reset()
	return s == other // want `memory of a context is used after the Context.Reset`
}

func stringConcatenated(mc palloc.Context) string {
	s := palloc.CloneString(mc, "text")
	mc.Reset()
	return "a " + s // want `memory of a context is used after the Context.Reset`
}

func stringClonedTooLate(mc palloc.Context) string {
	s := palloc.CloneString(mc, "text")
	mc.Reset()
	return strings.Clone(s) // want `memory of a context is used after the Context.Reset`
}

func bytesConvertedTooLate(mc palloc.Context) string {
	b := palloc.Clone(mc, []byte("text"))
	mc.Reset()
	return string(b) // want `memory of a context is used after the Context.Reset`
}

func trimmedAfterReset(mc palloc.Context) {
	s := strings.TrimSpace(palloc.CloneString(mc, " text "))
	mc.Reset()
	fmt.Println(s) // want `memory of a context is used after the Context.Reset`
}

func rangedAfterReset(mc palloc.Context) (n int) {
	s := palloc.CloneString(mc, "text")
	mc.Reset()
	for range s { // want `memory of a context is used after the Context.Reset`
		n++
	}
	return n
}

func copiedAfterReset(mc palloc.Context, to []byte) {
	s := palloc.MakeSlice[byte](mc, 10, 10)
	mc.Reset()
	copy(to, s) // want `memory of a context is used after the Context.Reset`
}

func memoryOfAChild(mc palloc.Context) int {
	below := palloc.NewBump(mc, "below")
	r := palloc.New[row](below)
	mc.Reset()
	return r.n // want `memory of a context is used after the Context.Reset`
}

func memoryOfAChildThatIsReset(mc palloc.Context) int {
	below := palloc.NewBump(mc, "below")
	r := palloc.New[row](below)
	mc.ResetChildren()
	return r.n // want `memory of a context is used after the Context.ResetChildren`
}

func tried(mc palloc.Context) int {
	r, err := palloc.TryNew[row](mc)
	if err != nil {
		return 0
	}
	mc.Reset()
	return r.n // want `memory of a context is used after the Context.Reset`
}

func label(mc palloc.Context, n int) string { return palloc.Sprintf(mc, "row %d", n) }

func ofAHelper(mc palloc.Context) {
	s := label(mc, 1)
	mc.Reset()
	fmt.Println(s) // want `memory of a context is used after the Context.Reset`
}

func grownInALoop(mc palloc.Context, n int) int {
	var rows []row
	for i := range n {
		rows = palloc.Append(mc, rows, row{n: i})
	}
	mc.Reset()
	return rows[0].n // want `memory of a context is used after the Context.Reset`
}

func parse(mc palloc.Context, lines []string) (rows []row, err error) {
	for _, line := range lines {
		if line == "" {
			return nil, io.EOF
		}
		rows = palloc.Append(mc, rows, row{name: palloc.CloneString(mc, line)})
	}
	return rows, nil
}

func grownInAHelper(mc palloc.Context, lines []string) error {
	rows, err := parse(mc, lines)
	mc.Reset()
	for _, r := range rows { // want `memory of a context is used after the Context.Reset`
		fmt.Println(r.n)
	}
	return err
}

func lines(mc palloc.Context, text string) (all []row) {
	for line := range strings.Lines(text) {
		all = palloc.Append(mc, all, row{name: palloc.CloneString(mc, line)})
	}
	return all
}

func parseLines(mc palloc.Context, text string) ([]row, error) {
	var all []row
	for line := range strings.Lines(text) {
		if line == "" {
			return nil, io.EOF
		}
		all = palloc.Append(mc, all, row{name: palloc.CloneString(mc, line)})
	}
	return all, nil
}

func grownWithAnErrorInBetween(mc palloc.Context) int {
	all, err := parseLines(mc, "text")
	if err != nil {
		return 0
	}
	mc.Reset()
	return all[0].n // want `memory of a context is used after the Context.Reset`
}

func grownInARangeOverAFunction(mc palloc.Context) int {
	all := lines(mc, "text")
	mc.Reset()
	return all[0].n // want `memory of a context is used after the Context.Reset`
}

func freedOfAMap(pages map[int][]byte) {
	page := pages[1]
	palloc.FreeSlice(page)
	page[0] = 1 // want `memory is used after the FreeSlice`
}

func freedParameter(r *row) int {
	palloc.Free(r)
	return r.n // want `memory is used after the Free`
}

func freedNext(r *row, list []*row) {
	palloc.Free(list[0])
	next := list[1]
	palloc.Free(next)
	next.n = 1 // want `memory is used after the Free`
}

func inALoop(mc palloc.Context, all []int) {
	for _, n := range all {
		s := label(mc, n)
		mc.Reset()
		fmt.Println(s) // want `memory of a context is used after the Context.Reset`
	}
}

func generic[T any](mc palloc.Context) T {
	p := palloc.New[T](mc)
	palloc.Free(p)
	return *p // want `memory is used after the Free`
}

func inAClosure(mc palloc.Context) func() {
	return func() {
		mc.Delete()
		mc.Alloc(10) // want `the context is used after the Context.Delete`
	}
}

type node struct{ perTuple palloc.Context }

func (n *node) ofAField() string {
	s := palloc.CloneString(n.perTuple, "text")
	n.perTuple.Reset()
	return s // want `memory of a context is used after the Context.Reset`
}

func afterFree(mc palloc.Context) int {
	r := palloc.New[row](mc)
	palloc.Free(r)
	return r.n // want `memory is used after the Free at line \d+: it was freed`
}

func freedTwice(mc palloc.Context) {
	r := palloc.New[row](mc)
	palloc.Free(r)
	palloc.Free(r) // want `memory is used after the Free`
}

func afterFreeSlice(mc palloc.Context) {
	s := palloc.MakeSlice[int](mc, 1, 1)
	palloc.FreeSlice(s)
	s[0] = 1 // want `memory is used after the FreeSlice`
}

func afterFreeString(mc palloc.Context) {
	s := palloc.CloneString(mc, "text")
	palloc.FreeString(s)
	fmt.Println(s) // want `memory is used after the FreeString`
}

func afterFreePointer(mc palloc.Context) {
	p := mc.Alloc(8)
	palloc.FreePointer(p)
	*(*uint64)(p) = 1 // want `memory is used after the FreePointer`
}

func freedByAnotherName(mc palloc.Context) {
	r := palloc.New[row](mc)
	palloc.FreePointer(unsafe.Pointer(r))
	r.n++ // want `memory is used after the FreePointer`
}

func afterRealloc(mc palloc.Context) unsafe.Pointer {
	p := mc.Alloc(8)
	q := palloc.Realloc(p, 100)
	*(*uint64)(p) = 1 // want `memory is used after the Realloc at line \d+: use only its result`
	return q
}

func afterReallocArray(mc palloc.Context) {
	p := mc.AllocArray(8, 8)
	q := palloc.ReallocArray(p, 16, 8)
	palloc.FreePointer(p) // want `memory is used after the ReallocArray`
	palloc.FreePointer(q)
}

func afterAppend(mc palloc.Context) int {
	s := palloc.Append(mc, []int(nil), 1, 2)
	longer := palloc.Append(mc, s, 3)
	return s[0] + longer[0] // want `memory is used after the Append at line \d+: use only its result, s = palloc.Append\(mc, s, ...\)`
}

func afterAppendToAClone(mc palloc.Context, b []byte) {
	s := palloc.Clone(mc, b)
	longer := palloc.Append(mc, s, 'x')
	use(s) // want `memory is used after the Append`
	use(longer)
}

func afterGrow(mc palloc.Context) {
	s := palloc.Append(mc, []byte(nil), 1, 2)
	wide := palloc.Grow(mc, s, 100)
	use(s) // want `memory is used after the Grow`
	use(wide)
}

func appendedTwice(mc palloc.Context) ([]int, []int) {
	s := palloc.Grow[int](mc, nil, 1)
	a := palloc.Append(mc, s, 1)
	b := palloc.Append(mc, s, 2) // want `memory is used after the Append`
	return a, b
}

func use([]byte) {}

func bufferAfterDelete(parent palloc.Context) {
	mc := palloc.NewAllocSet(parent, "c")
	b := palloc.NewBuffer(mc)
	b.WriteString("text")
	mc.Delete()
	b.WriteString("more") // want `the context is used after the Context.Delete`
}

func textOfABufferAfterReset(mc palloc.Context) {
	b := palloc.NewBuffer(mc)
	b.WriteString("text")
	s := b.String()
	mc.Reset()
	fmt.Println(s) // want `memory of a context is used after the Context.Reset`
}

func textAfterWrite(b *palloc.Buffer) {
	s := b.String()
	b.WriteString("more")
	fmt.Println(s) // want `the result of Buffer.String is used after the Buffer.WriteString at line \d+`
}

func bytesAfterReset(b *palloc.Buffer) {
	s := b.Bytes()
	b.Reset()
	use(s) // want `the result of Buffer.Bytes is used after the Buffer.Reset`
}

func bytesAfterFprintf(b *palloc.Buffer) {
	s := b.Bytes()
	fmt.Fprintf(b, "%d", 1)
	use(s) // want `the result of Buffer.Bytes is used after the fmt.Fprintf`
}
