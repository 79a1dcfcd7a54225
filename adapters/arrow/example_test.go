package arrow_test

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/gopalloc/palloc"
	onpalloc "github.com/gopalloc/palloc/adapters/arrow"
)

// Arrow's builders and arrays have their buffers in a context with a limit.
func Example() {
	mc := palloc.NewAllocSet(palloc.Top(), "arrow")
	defer mc.Delete()
	mc.SetLimit(64 << 20)

	b := array.NewInt64Builder(onpalloc.New(mc))
	defer b.Release()
	b.AppendValues([]int64{1, 2, 3}, nil)
	column := b.NewInt64Array()
	defer column.Release()
	fmt.Println(column, mc.Held() > 0)
	// Output: [1 2 3] true
}
