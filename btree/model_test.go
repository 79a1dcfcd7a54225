package btree_test

import (
	"cmp"
	"iter"
	"slices"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/btree"
	"github.com/gopalloc/palloc/internal/containertest"
)

// Random programs on a Map, compared with a sorted slice.

type entry struct{ key, value int }

// A model is what a Map should hold.
type model struct {
	t       *testing.T
	m       *btree.Map[int, int]
	entries []entry
	code    []byte
	next    int // the next value
}

// arg returns the next number of the program, less than limit.
func (x *model) arg(limit int) int {
	n := 0
	for range 2 {
		if len(x.code) > 0 {
			n, x.code = n<<8|int(x.code[0]), x.code[1:]
		}
	}
	return n % limit
}

// find returns the index of the first entry that is not before key.
func (x *model) find(key int) (i int, found bool) {
	return slices.BinarySearchFunc(x.entries, key, func(e entry, key int) int { return cmp.Compare(e.key, key) })
}

func (x *model) put(key int) {
	x.t.Helper()
	x.next++
	old, replaced := x.m.Put(key, x.next)
	i, found := x.find(key)
	if replaced != found || found && old != x.entries[i].value {
		x.t.Fatalf("Put(%d) = %d, %v", key, old, replaced)
	}
	if found {
		x.entries[i].value = x.next
	} else {
		x.entries = slices.Insert(x.entries, i, entry{key, x.next})
	}
}

func (x *model) remove(key int) {
	x.t.Helper()
	old, deleted := x.m.Delete(key)
	i, found := x.find(key)
	if deleted != found || found && old != x.entries[i].value {
		x.t.Fatalf("Delete(%d) = %d, %v", key, old, deleted)
	}
	if found {
		x.entries = slices.Delete(x.entries, i, i+1)
	}
}

// look compares the entries around a key.
func (x *model) look(key int) {
	x.t.Helper()
	i, found := x.find(key)
	v, got := x.m.Get(key)
	if got != found || found && v != x.entries[i].value || x.m.Has(key) != found {
		x.t.Fatalf("Get(%d) = %d, %v", key, v, got)
	}
	if p := x.m.Ref(key); (p != nil) != found || found && *p != v {
		x.t.Fatalf("Ref(%d) = %v", key, p)
	}
	x.same("Ceil", i)(x.m.Ceil(key))
	if !found {
		i--
	}
	x.same("Floor", i)(x.m.Floor(key))
	x.same("Min", 0)(x.m.Min())
	x.same("Max", len(x.entries)-1)(x.m.Max())
}

// same returns a function that compares a result with entry i.
func (x *model) same(what string, i int) func(k, v int, found bool) {
	return func(k, v int, found bool) {
		x.t.Helper()
		want := i >= 0 && i < len(x.entries)
		if found != want || want && (entry{k, v}) != x.entries[i] {
			x.t.Fatalf("%s returned %d, %d, %v; want entry %d", what, k, v, found, i)
		}
	}
}

// walk compares what an iterator yields, up to some number of entries.
func (x *model) walk(what string, seq iter.Seq2[int, int], want []entry, most int) {
	x.t.Helper()
	i := 0
	for k, v := range seq {
		if i >= len(want) || (entry{k, v}) != want[i] {
			x.t.Fatalf("%s: entry %d is %d, %d", what, i, k, v)
		}
		if i++; i == most {
			return
		}
	}
	if i != len(want) {
		x.t.Fatalf("%s ended after %d of %d", what, i, len(want))
	}
}

// change loops over the Map and adds and deletes in the loop, at and around the entry. Every key that
// stays is to be seen once.
func (x *model) change(back bool) {
	x.t.Helper()
	seq := x.m.All()
	if back {
		seq = x.m.Backward()
	}
	last, first := 0, true
	for k, v := range seq {
		i, found := x.find(k)
		if !found || x.entries[i].value != v {
			x.t.Fatalf("the loop yields %d, %d, which is not there", k, v)
		}
		if !first {
			x.adjacent(last, k, back)
		}
		last, first = k, false
		if len(x.code) == 0 {
			continue // a loop that adds for ever would not end
		}
		switch x.arg(9) {
		case 0:
			x.put(k + 1)
		case 1:
			x.remove(k + 1)
		case 2, 3, 4:
			x.remove(k)
		case 5:
			x.put(k - 1)
		case 6:
			x.remove(k - 1)
		}
	}
	if first && len(x.entries) > 0 {
		x.t.Fatal("the loop yields nothing")
	}
	if !first {
		x.adjacent(last, 1<<30, back)
	}
}

// adjacent checks that no key is between two that were yielded one after the other.
func (x *model) adjacent(last, k int, back bool) {
	x.t.Helper()
	if back {
		if k == 1<<30 {
			k = -k
		}
		last, k = k, last
	}
	i, found := x.find(last)
	if found {
		i++
	}
	if end, _ := x.find(k); last >= k || end > i {
		x.t.Fatalf("the loop goes from %d to %d, and leaves out %v", last, k, x.entries[i])
	}
}

// step runs one operation of the program.
func (x *model) step() {
	x.t.Helper()
	const keys = 6000
	op, key := x.arg(40), x.arg(keys)
	i, _ := x.find(key)
	switch op {
	default:
		x.put(key)
	case 0, 1, 2, 3, 4, 5, 6, 7:
		x.remove(key)
	case 8, 9:
		x.look(key)
	case 10, 11, 12:
		for d := range x.arg(400) {
			x.put(key + d)
		}
	case 13, 14:
		for d := range x.arg(400) {
			x.put(key - d)
		}
	case 15, 16, 17:
		for d := range x.arg(400) {
			x.remove(key + d)
		}
	case 18, 19:
		for d := range x.arg(400) {
			x.remove(key - d)
		}
	case 20:
		x.walk("From", x.m.From(key), x.entries[i:], 1+x.arg(200))
	case 21:
		to := key + x.arg(300) - 50
		end, _ := x.find(to)
		x.walk("Range", x.m.Range(key, to), x.entries[i:max(i, end)], -1)
	case 22:
		x.walk("BackwardFrom", x.m.BackwardFrom(key-1), reversed(x.entries[:i]), 1+x.arg(200))
	case 23:
		x.change(false)
	case 24:
		x.change(true)
	case 25:
		if x.arg(8) == 0 {
			x.m.Clear()
			x.entries = nil
		}
	case 26:
		if x.arg(8) == 0 {
			x.m.Free()
			x.entries = nil
		}
	}
	if x.m.Len() != len(x.entries) {
		x.t.Fatalf("Len is %d, want %d", x.m.Len(), len(x.entries))
	}
}

func reversed(s []entry) []entry {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// runProgram runs a program on a Map in mc.
func runProgram(t *testing.T, mc palloc.Context, code []byte) {
	t.Helper()
	x := &model{t: t, m: btree.New[int, int](mc), code: code}
	if len(code) > 0 && code[0]&1 != 0 {
		x.m = btree.NewFunc[int, int](mc, cmp.Compare[int])
	}
	for len(x.code) > 0 {
		x.step()
	}
	x.walk("All", x.m.All(), x.entries, -1)
	x.walk("Backward", x.m.Backward(), reversed(x.entries), -1)
	if err := x.m.Check(); err != nil {
		t.Fatal(err)
	}
	x.m.Free()
}

func TestModel(t *testing.T) { containertest.Programs(t, 2000, 100, runProgram) }

func FuzzMap(f *testing.F) { containertest.Fuzz(f, runProgram) }
