package trace_test

import (
	"bytes"
	"fmt"

	"github.com/gopalloc/palloc/trace"
)

// A program records what it does with its memory, writes it down, and looks at
// it later.
func Example() {
	r := trace.NewRecorder()
	query, _ := r.Create(trace.None, trace.Context{Kind: trace.AllocSet, Name: "query"})
	row, _ := r.Alloc(query, 100, trace.Zero)
	r.Alloc(query, 20, 0)
	r.Realloc(row, 200, 0)
	r.Release(trace.OpReset, query, 0)

	var file bytes.Buffer
	if err := trace.WriteGzip(&file, r.Trace()); err != nil {
		fmt.Println(err)
		return
	}
	t, err := trace.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, op := range t.Ops() {
		switch {
		case op.Code() == trace.OpAlloc:
			fmt.Println(op.Code(), op.Size(), "bytes in slot", op.Slot())
		case op.Code().Releases():
			fmt.Println(op.Code(), t.Context(op.Context()).Name, "ends slots", t.Deaths(op).Slots)
		default:
			fmt.Println(op.Code())
		}
	}
	fmt.Println(t.Counts().PeakBytes, "bytes at the peak")
	// Output:
	// CREATE
	// ALLOC 100 bytes in slot 0
	// ALLOC 20 bytes in slot 1
	// REALLOC
	// RESET query ends slots [1 0]
	// 220 bytes at the peak
}

// A damaged file says where.
func ExampleRead() {
	_, err := trace.Read(bytes.NewReader([]byte("MCTRACE\x01\x05\x02")))
	fmt.Println(err)
	// Output:
	// trace: byte 10: the file ends where the count n_ctxs should be; it has been cut off
}
