package heapstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc"
)

type row struct {
	palloc.NoHeapPointers
	name  string
	data  []byte
	words []row
	next  *row
	any   any
	err   error
	run   func() int
	in    inner
}

type inner struct{ text string }

type wrapped struct {
	row
	id int
}

func formatted(mc palloc.Context, n int) {
	r := palloc.New[row](mc)
	r.name = fmt.Sprintf("row %d", n) // want `the result of fmt.Sprintf is on Go's heap, and the struct promises palloc.NoHeapPointers: copy it with palloc.CloneString`
}

func texts(mc palloc.Context, n int, s string, b []byte, words []string) {
	r := palloc.New[row](mc)
	r.name = fmt.Sprint(n)                     // want `the result of fmt.Sprint is on Go's heap`
	r.name = strconv.Itoa(n)                   // want `the result of strconv.Itoa is on Go's heap`
	r.name = strconv.FormatInt(int64(n), 2)    // want `the result of strconv.FormatInt is on Go's heap`
	r.name = strconv.Quote(s)                  // want `the result of strconv.Quote is on Go's heap`
	r.name = strings.Clone(s)                  // want `the result of strings.Clone is on Go's heap`
	r.name = strings.Repeat(s, n)              // want `the result of strings.Repeat is on Go's heap`
	r.name = strings.Join(words, ",")          // want `the result of strings.Join is on Go's heap`
	r.name = string(b)                         // want `the conversion is on Go's heap`
	r.name = "row " + s                        // want `a concatenation is on Go's heap`
	r.name = string([]rune(s))                 // want `the conversion is on Go's heap`
	r.name = fmt.Sprintf("row %d", n)[1:]      // want `the result of fmt.Sprintf is on Go's heap`
	r.name = strings.TrimSpace(fmt.Sprint(n))  // want `the result of fmt.Sprint is on Go's heap`
	r.name = palloc.CloneString(mc, s) + "row" // want `a concatenation is on Go's heap`
}

func builder(mc palloc.Context) {
	var b strings.Builder
	b.WriteString("text")
	palloc.New[row](mc).name = b.String() // want `the result of strings.Builder.String is on Go's heap`
}

func buffer(mc palloc.Context) {
	var b bytes.Buffer
	b.WriteString("text")
	palloc.New[row](mc).name = b.String() // want `the result of bytes.Buffer.String is on Go's heap`
}

func fromAVariable(mc palloc.Context, n int) {
	name := fmt.Sprint(n)
	r := palloc.New[row](mc)
	r.name = name // want `the result of fmt.Sprint is on Go's heap`
}

func onOneOfTwoPaths(mc palloc.Context, n int) {
	name := "none"
	if n > 0 {
		name = fmt.Sprint(n)
	}
	palloc.New[row](mc).name = name // want `the result of fmt.Sprint is on Go's heap`
}

func slicesOfGo(mc palloc.Context, s string, b []byte) {
	r := palloc.New[row](mc)
	r.data = make([]byte, 10)           // want `the result of make is on Go's heap, and the struct promises palloc.NoHeapPointers: make it with palloc.MakeSlice`
	r.data = make([]byte, len(s))       // want `the result of make is on Go's heap`
	r.data = []byte(s)                  // want `the conversion is on Go's heap`
	r.data = []byte{1, 2}               // want `the array of the slice is on Go's heap`
	r.data = append([]byte(nil), b...)  // want `the result of the built-in append is on Go's heap`
	r.data = bytes.Clone(b)             // want `the result of bytes.Clone is on Go's heap`
	r.data = slices.Clone(b)            // want `the result of slices.Clone is on Go's heap`
	r.words = []row{{name: "constant"}} // want `the array of the slice is on Go's heap`
}

func appendedToASliceOfPalloc(mc palloc.Context) {
	r := palloc.New[row](mc)
	s := palloc.MakeSlice[byte](mc, 1, 1)
	r.data = append(s, 1) // want `the result of the built-in append is on Go's heap`
}

func bufferClone(mc palloc.Context, b *palloc.Buffer) {
	palloc.New[row](mc).data = b.Clone() // want `the result of Buffer.Clone is on Go's heap`
}

func pointers(mc palloc.Context) {
	r := palloc.New[row](mc)
	r.next = &row{}   // want `the address of a Go variable is on Go's heap, and the struct promises palloc.NoHeapPointers: make it with palloc.New`
	r.next = new(row) // want `the address of a Go variable is on Go's heap`
	var local row
	r.next = &local // want `the address of a Go variable is on Go's heap`
}

func interfaces(mc palloc.Context, n int) {
	r := palloc.New[row](mc)
	r.any = fmt.Sprint(n)           // want `the result of fmt.Sprint is on Go's heap`
	r.any = &row{}                  // want `the address of a Go variable is on Go's heap`
	r.err = errors.New("failed")    // want `the result of errors.New is on Go's heap`
	r.err = fmt.Errorf("bad %d", n) // want `the result of fmt.Errorf is on Go's heap`
	r.any = map[int]int{}           // want `the result of make is on Go's heap`
}

func closure(mc palloc.Context, n int) {
	palloc.New[row](mc).run = func() int { return n } // want `a closure with variables is on Go's heap`
}

func fieldOfAStructInside(mc palloc.Context, n int) {
	palloc.New[row](mc).in.text = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}

func fieldOfAStructAround(mc palloc.Context, n int) {
	palloc.New[wrapped](mc).name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}

func element(mc palloc.Context, n int) {
	rows := palloc.MakeSlice[row](mc, 10, 10)
	rows[1].name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}

func everyElement(mc palloc.Context) {
	rows := palloc.MakeSlice[row](mc, 10, 10)
	for i := range rows {
		rows[i].name = strconv.Itoa(i) // want `the result of strconv.Itoa is on Go's heap`
	}
}

func literal(mc palloc.Context, n int) (rows []row) {
	return palloc.Append(mc, rows, row{name: fmt.Sprint(n)}) // want `the result of fmt.Sprint is on Go's heap`
}

func literals(mc palloc.Context, n int) []row {
	return palloc.Clone(mc, []row{{name: fmt.Sprint(n)}, {name: "constant"}}) // want `the result of fmt.Sprint is on Go's heap`
}

func forgottenClone(mc palloc.Context) (rows []row) {
	for range 1000 {
		rows = palloc.Append(mc, rows, row{name: strings.Repeat("good", 8)}) // want `the result of strings.Repeat is on Go's heap`
	}
	return rows
}

func variable(mc palloc.Context, n int) (rows []row) {
	var r row
	r.name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
	return palloc.Append(mc, rows, r)
}

func whole(mc palloc.Context, n int) {
	r := palloc.New[row](mc)
	*r = row{name: fmt.Sprint(n)} // want `the result of fmt.Sprint is on Go's heap`
}

func tried(mc palloc.Context, n int) error {
	r, err := palloc.TryNew[row](mc)
	if err != nil {
		return err
	}
	r.name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
	return nil
}

func (r *row) method(n int) {
	r.name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}

func throughASlice(r *row, n int) {
	r.words[0].name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}

func throughAPointer(r *row, n int) {
	r.next.name = fmt.Sprint(n) // want `the result of fmt.Sprint is on Go's heap`
}
