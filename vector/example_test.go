package vector_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/vector"
)

func Example() {
	mc := palloc.NewBump(palloc.Top(), "squares")
	defer mc.Delete()
	squares := vector.New[int](mc)
	first := squares.Append(0)
	for i := 1; i < 100; i++ {
		squares.Append(i * i)
	}
	*first = -1 // it has not moved
	fmt.Println(*squares.At(0), *squares.At(99), squares.Len())
	// Output: -1 9801 100
}
