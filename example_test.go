package palloc_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// A context for any use: chunks are freed and reused one by one, or all freed at once.
func ExampleNewAllocSet() {
	mc := palloc.NewAllocSet(palloc.Top(), "query")
	defer mc.Delete()

	point := palloc.New[struct{ X, Y int }](mc)
	point.X = 3
	squares := palloc.MakeSlice[int](mc, 0, 4)
	for i := range 10 {
		squares = palloc.Append(mc, squares, i*i)
	}
	fmt.Println(*point, squares[9], len(squares))

	palloc.Free(point)
	mc.Reset() // the slice is no longer valid
	fmt.Println(mc.IsEmpty())
	// Output:
	// {3 0} 81 10
	// true
}

// A context for many objects of one size.
func ExampleNewSlab() {
	type entry struct{ Key, Value uint64 }
	mc := palloc.NewSlab(palloc.Top(), "entries", 16)
	defer mc.Delete()

	e := palloc.New[entry](mc)
	e.Key, e.Value = 1, 2
	fmt.Println(*e)
	palloc.Free(e)

	defer func() { fmt.Println(recover()) }()
	palloc.New[[3]uint64](mc)
	// Output:
	// {1 2}
	// palloc: New: this Slab has chunks of 16 bytes, not of 24 (context "Top/entries")
}

// A context for a queue: a block is released when its last chunk is freed.
func ExampleNewGeneration() {
	mc := palloc.NewGeneration(palloc.Top(), "messages")
	defer mc.Delete()

	var queue [][]byte
	for i := range 10000 {
		queue = append(queue, palloc.Clone(mc, fmt.Appendf(nil, "message %d", i)))
		if len(queue) > 100 {
			palloc.FreeSlice(queue[0])
			queue = queue[1:]
		}
	}
	fmt.Println(string(queue[99]), mc.Held() < 16<<10)
	// Output: message 9999 true
}

// A context for a structure that is built, used and deleted as a whole. Nodes may point to
// each other when their type declares it.
func ExampleNewBump() {
	type node struct {
		palloc.NoHeapPointers
		left, right *node
	}
	mc := palloc.NewBump(palloc.Top(), "tree")
	defer mc.Delete()

	var build func(depth int) *node
	build = func(depth int) *node {
		n := palloc.New[node](mc)
		if depth > 0 {
			n.left, n.right = build(depth-1), build(depth-1)
		}
		return n
	}
	var count func(n *node) int
	count = func(n *node) int {
		if n == nil {
			return 0
		}
		return 1 + count(n.left) + count(n.right)
	}
	fmt.Println(count(build(10)))
	// Output: 2047
}

// A context for one task: it is deleted when the function ends, however it ends.
func ExampleScope() {
	err := palloc.Scope(palloc.Top(), "request", func(mc palloc.Context) error {
		name := palloc.CloneString(mc, "palloc")
		mc.BeforeReset(func() { fmt.Println("closing", mc.Name()) })
		fmt.Println("hello,", name)
		return errors.New("no luck")
	})
	fmt.Println(err)
	// Output:
	// hello, palloc
	// closing request
	// no luck
}

// The tree of contexts, as PostgreSQL prints it.
// A city has no Go pointers: nothing in it can refer to Go's heap.
type city struct {
	name    palloc.Text
	capital palloc.Ref[city]
	names   palloc.Vec[palloc.Text]
}

func ExampleText() {
	mc := palloc.NewAllocSet(palloc.Top(), "cities")
	defer mc.Delete()

	line := []byte("Tōkyō;Tokyo;Tokio") // read from a file, into a buffer that the next line overwrites
	c := palloc.New[city](mc)
	c.capital = palloc.RefOf(c)
	for name := range bytes.SplitSeq(line, []byte(";")) {
		c.names.Append(mc, palloc.NewText(mc, name))
	}
	c.name = *c.names.At(0)
	clear(line)

	for i, name := range c.capital.Get().names.All() {
		fmt.Println(i, name, name.Equal(c.name))
	}
	// Output:
	// 0 Tōkyō true
	// 1 Tokyo false
	// 2 Tokio false
}

func ExampleCloneValue() {
	type order struct {
		customer string
		lines    []string
	}
	mc := palloc.NewAllocSet(palloc.Top(), "orders")
	defer mc.Delete()

	o := palloc.CloneValue(mc, order{strings.Clone("Ada"), []string{"tea", "milk"}})
	fmt.Println(o.customer, o.lines, palloc.ContextOf(unsafe.Pointer(o)).Name())
	palloc.Free(o) // with the strings and the slice
	// Output: Ada [tea milk] orders
}

// A Bump has no headers and ends as a whole: what a request needs.
func ExampleOfKind() {
	answer := ""
	palloc.Scope(palloc.Top(), "request", func(mc palloc.Context) error {
		text := palloc.AppendString(mc, nil, "the answer is ")
		text = palloc.AppendInt(mc, text, 42, 10)
		answer = string(text) // on Go's heap, where it outlives the request
		return nil
	}, palloc.OfKind(palloc.KindBump))
	fmt.Println(answer)
	// Output: the answer is 42
}

func ExampleContext_WriteStats() {
	palloc.Trim() // so that no block of an earlier context is cached
	query := palloc.NewAllocSet(palloc.Top(), "query")
	defer query.Delete()
	sort := palloc.NewBump(query, "sort")
	sort.SetIdent("by name")
	for range 100 {
		sort.Alloc(100)
	}
	query.WriteStats(os.Stdout)
	// Output:
	// query: 0 total in 0 blocks; 0 free (0 chunks); 0 used
	//   sort: 12544 total in 8 blocks; 1888 free; 10656 used: by name
	// Grand total: 12544 bytes in 8 blocks; 1888 free (0 chunks); 10656 used
}

// Contexts that live on although they are not used any more, and where they were created.
func ExampleLeaks() {
	defer palloc.RecordCreations()()
	server := palloc.NewAllocSet(palloc.Top(), "server")
	defer server.Delete()
	for range 3 {
		palloc.NewAllocSet(server, "query") // and no Delete
	}
	for _, l := range palloc.Leaks(server, 0) {
		file, _, _ := strings.Cut(l.Created, ":")
		fmt.Println(l.Count, l.Name, "of", file)
	}
	// Output:
	// 3 query of example_test.go
}

// An object with a context, whose user may forget to close it.
func ExampleTie() {
	type index struct {
		mc      palloc.Context
		entries []int64 // lies in mc
		untie   func() bool
	}
	x := &index{mc: palloc.NewAllocSet(palloc.Top(), "index")}
	x.untie = palloc.Tie(x, x.mc)
	x.entries = palloc.MakeSlice[int64](x.mc, 100, 100)

	// Close deletes the context without waiting for the collector.
	if x.untie() {
		x.mc.Delete()
	}
	fmt.Println(x.mc.Live())
	// Output:
	// false
}
