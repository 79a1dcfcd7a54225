package hashmap_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
)

func ExampleMap() {
	mc := palloc.NewAllocSet(palloc.Top(), "ages")
	defer mc.Delete() // frees the map, too

	type person struct{ born, children uint32 }
	people := hashmap.New[uint64, person](mc, 0)
	people.Put(17, person{born: 1815})
	people.Ref(17).children = 3
	ada, found := people.Get(17)
	fmt.Println(ada, found, people.Len())
	// Output:
	// {1815 3} true 1
}

func ExampleMap_All() {
	mc := palloc.NewAllocSet(palloc.Top(), "squares")
	defer mc.Delete()

	squares := hashmap.New[int, int](mc, 100)
	for i := range 100 {
		squares.Put(i, i*i)
	}
	for k := range squares.All() {
		if k > 2 {
			squares.Delete(k) // a loop may delete
		}
	}
	fmt.Println(squares.Len())
	// Output: 3
}

func ExampleStrings() {
	mc := palloc.NewAllocSet(palloc.Top(), "words")
	defer mc.Delete()

	counts := hashmap.NewStrings[int](mc, 0)
	line := []byte("to be or not to be")
	for word := []byte(nil); len(line) > 0; {
		n := 0
		for n < len(line) && line[n] != ' ' {
			n++
		}
		word, line = line[:n], line[min(n+1, len(line)):]
		*counts.EntryBytes(word)++ // copies the word into the context, when it is new
	}
	be, _ := counts.Get("be")
	fmt.Println(counts.Len(), be)
	// Output: 4 2
}

func ExampleSet() {
	mc := palloc.NewAllocSet(palloc.Top(), "seen")
	defer mc.Delete()

	seen := hashmap.NewSet[[2]int32](mc, 0)
	fmt.Println(seen.Add([2]int32{1, 2}), seen.Add([2]int32{1, 2}), seen.Has([2]int32{2, 1}))
	// Output: true false false
}
