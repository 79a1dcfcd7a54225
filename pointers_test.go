package palloc_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The pointer rule: what may lie in a context, what is refused and how, and that
// linked memory and the garbage collector get along.

type (
	leaf   struct{ n, m int }
	holder struct{ p *leaf }
	deep   struct {
		a struct{ b [3]struct{ c, d any } }
	}
	named   struct{ id, name string }
	under   struct{ _ *int }
	lists   struct{ rows [2][]leaf }
	notLast struct {
		mark palloc.Linked // not embedded
		p    *leaf
	}
	byPointer struct{ *palloc.Linked }
	around    struct {
		inner linkedNode
		p     *leaf
	}
)

type (
	linkedNode struct {
		palloc.Linked
		left, right *linkedNode
		n           int
	}
	linkedAll struct {
		palloc.Linked
		s    string
		b    []byte
		f    func()
		i    any
		u    unsafe.Pointer
		deep struct{ p [2]*leaf }
	}
	linkedTwice struct{ pair [2]struct{ node linkedNode } }
	linkedMap   struct {
		palloc.Linked
		m map[string]int
	}
	linkedChan struct {
		palloc.Linked
		a [2]struct{ c chan int }
	}
	linkedPointers struct {
		palloc.Linked
		m *map[string]int
		c []chan int
	}
	linkedOf[T any] struct {
		palloc.Linked
		value T
		next  *linkedOf[T]
	}
)

// refusal runs New and its kin for T, and wants the same refusal of all. path
// is the first words of the Reason, "" when T is to be accepted.
func refusal[T any](t *testing.T, mc palloc.Context, path string) {
	t.Helper()
	typ := fmt.Sprintf("%T", *new(T))
	t.Run(typ, func(t *testing.T) {
		for name, use := range map[string]func(){
			"New":       func() { palloc.New[T](mc) },
			"TryNew":    func() { palloc.TryNew[T](mc) },
			"MakeSlice": func() { palloc.MakeSlice[T](mc, 1, 1) },
			"Append":    func() { palloc.Append(mc, nil, *new(T)) },
			"Clone":     func() { palloc.Clone(mc, make([]T, 1)) },
		} {
			f := faultOf(t, use)
			if (f != nil) != (path != "") {
				t.Errorf("%s: the Fault is %v", name, f)
			} else if f != nil {
				wantPath(t, f, name+"["+typ+"]", path)
			}
		}
	})
}

func wantPath(t *testing.T, f *palloc.Fault, op, path string) {
	t.Helper()
	want := path + " is a Go pointer, which the collector would not see here: " +
		"embed palloc.Linked in the struct if it only ever leads into contexts, else keep it on Go's heap"
	if strings.Contains(path, "(map[") || strings.Contains(path, "(chan ") {
		want = path + " lies on Go's heap, and the collector would not see here that it is in use: keep it on Go's heap"
	}
	if f.Op != op || f.Reason != want {
		t.Errorf("the Fault is\n\t%s: %s\nnot\n\t%s: %s", f.Op, f.Reason, op, want)
	}
}

func TestAPointerIsRefusedWithItsPath(t *testing.T) {
	mc := newRoot(t)
	for range 2 { // the second time it is known
		refusal[*leaf](t, mc, "*palloc_test.leaf (*palloc_test.leaf)")
		refusal[string](t, mc, "string (string)")
		refusal[[]byte](t, mc, "[]uint8 ([]uint8)")
		refusal[func()](t, mc, "func() (func())")
		refusal[unsafe.Pointer](t, mc, "unsafe.Pointer (unsafe.Pointer)")
		refusal[map[string]int](t, mc, "map[string]int (map[string]int)")
		refusal[chan int](t, mc, "chan int (chan int)")
		refusal[holder](t, mc, "palloc_test.holder.p (*palloc_test.leaf)")
		refusal[deep](t, mc, "palloc_test.deep.a.b[0].c (interface {})")
		refusal[named](t, mc, "palloc_test.named.id (string)")
		refusal[under](t, mc, "palloc_test.under._ (*int)")
		refusal[lists](t, mc, "palloc_test.lists.rows[0] ([]palloc_test.leaf)")
		refusal[[4]holder](t, mc, "[4]palloc_test.holder[0].p (*palloc_test.leaf)")
		refusal[pair[int, string]](t, mc, "palloc_test.pair[int,string].value (string)")
		refusal[pair[holder, int]](t, mc, "palloc_test.pair[github.com/gopalloc/palloc_test.holder,int].key.p (*palloc_test.leaf)")
	}
	wantEmpty(t, mc)
	wantOrder(t, mc)
}

func TestLinkedCountsOnlyWhereItIsEmbedded(t *testing.T) {
	mc := newRoot(t)
	refusal[notLast](t, mc, "palloc_test.notLast.p (*palloc_test.leaf)")
	refusal[byPointer](t, mc, "palloc_test.byPointer.Linked (*palloc.Linked)")
	refusal[around](t, mc, "palloc_test.around.p (*palloc_test.leaf)")
	refusal[pair[linkedNode, string]](t, mc, "palloc_test.pair[github.com/gopalloc/palloc_test.linkedNode,string].value (string)")
}

func TestLinkedTakesNoMapsAndNoChannels(t *testing.T) {
	mc := newRoot(t)
	refusal[linkedMap](t, mc, "palloc_test.linkedMap.m (map[string]int)")
	refusal[linkedChan](t, mc, "palloc_test.linkedChan.a[0].c (chan int)")
	refusal[linkedOf[map[int]int]](t, mc, "palloc_test.linkedOf[map[int]int].value (map[int]int)")
}

func TestTypesWithoutForeignPointersAreAccepted(t *testing.T) {
	mc := newRoot(t)
	for range 2 {
		refusal[leaf](t, mc, "")
		refusal[[3]leaf](t, mc, "")
		refusal[uintptr](t, mc, "")
		refusal[[0]*leaf](t, mc, "")
		refusal[struct {
			_ [0]func()
			n int
		}](t, mc, "")
		refusal[linkedNode](t, mc, "")
		refusal[linkedAll](t, mc, "")
		refusal[linkedTwice](t, mc, "")
		refusal[[2][2]linkedTwice](t, mc, "")
		refusal[linkedPointers](t, mc, "")
		refusal[linkedOf[string]](t, mc, "")
		refusal[pair[linkedNode, int]](t, mc, "")
	}
}

// TestManyTypesKeepTheirVerdicts goes through more types than any small table
// of verdicts can hold apart.
func TestManyTypesKeepTheirVerdicts(t *testing.T) {
	mc := newRoot(t)
	for range 3 {
		verdicts[byte](t, mc)
		verdicts[int16](t, mc)
		verdicts[float64](t, mc)
		verdicts[leaf](t, mc)
		verdicts[[2]leaf](t, mc)
		verdicts[linkedNode](t, mc)
	}
}

func verdicts[T any](t *testing.T, mc palloc.Context) {
	t.Helper()
	kind[T](t, mc)
	kind[[2]T](t, mc)
	kind[[3]T](t, mc)
	kind[pair[T, T]](t, mc)
	kind[pair[T, int]](t, mc)
	kind[pair[[3]T, [5]T]](t, mc)
}

func kind[T any](t *testing.T, mc palloc.Context) {
	t.Helper()
	if f := faultOf(t, func() { palloc.New[linkedOf[T]](mc) }); f != nil {
		t.Errorf("a linked type is refused: %v", f)
	}
	if f := faultOf(t, func() { palloc.New[pair[T, *T]](mc) }); f == nil {
		t.Errorf("%T is accepted", *new(pair[T, *T]))
	}
}

// TestLinkedMemoryAndTheCollector changes a tree of linked nodes, in memory that
// is recycled dirty, while the collector runs all the time: a pointer slot that
// was not cleared would show it a pointer that is none.
func TestLinkedMemoryAndTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := 200
	if cramped() {
		rounds = 20
	}
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "graph", int(unsafe.Sizeof(linkedNode{})))
		stop := collect()
		defer stop()
		for round := range rounds {
			root := grow(t, c, k, 300)
			if got := root.sum(); got != 300*301/2 {
				t.Fatalf("round %d: the nodes sum up to %d", round, got)
			}
			soil(c, k)
			c.Reset()
			garbage = make([]byte, 1<<16) // gives the collector something to do
		}
	})
}

var garbage []byte

// collect runs the collector until stop is called.
func collect() (stop func()) {
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// grow makes a search tree of the numbers 1 to n, and frees and replaces nodes
// on the way.
func grow(t *testing.T, c palloc.Context, k palloc.Kind, n int) (root *linkedNode) {
	for i := range n {
		node := palloc.New[linkedNode](c)
		if node.left != nil || node.right != nil {
			t.Fatal("a new node has children")
		}
		node.n = (i*7919)%n + 1
		root = root.insert(node)
		if spare := palloc.New[linkedNode](c); k != palloc.KindBump {
			spare.left, spare.right = node, root
			palloc.Free(spare)
		}
	}
	return root
}

func (at *linkedNode) insert(n *linkedNode) *linkedNode {
	if at == nil {
		return n
	}
	if n.n < at.n {
		at.left = at.left.insert(n)
	} else {
		at.right = at.right.insert(n)
	}
	return at
}

func (at *linkedNode) sum() int {
	if at == nil {
		return 0
	}
	return at.n + at.left.sum() + at.right.sum()
}

// soil leaves bytes behind that look like pointers into Go's heap where there
// are no objects.
func soil(c palloc.Context, k palloc.Kind) {
	heap := uintptr(unsafe.Pointer(&garbage))
	for i := range 200 {
		words := unsafe.Slice((*uintptr)(c.Alloc(int(unsafe.Sizeof(linkedNode{})))), 3)
		for j := range words {
			words[j] = heap + uintptr(i*8192+j*8) + 1
		}
	}
}

func TestLinkedSlicesAndTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	stop := collect()
	defer stop()
	for range 20 {
		soil(c, palloc.KindAllocSet)
		c.Reset()
		var all []linkedAll
		for i := range 500 {
			all = palloc.Append(c, all, linkedAll{s: palloc.CloneString(c, fmt.Sprint(i))})
			all[i].b = palloc.Clone(c, []byte{byte(i)})
			all = append(all[:i], all[i]) // through Go's own append, as well
		}
		for i, v := range all {
			if v.s != fmt.Sprint(i) || v.b[0] != byte(i) || v.i != nil || v.deep.p[1] != nil {
				t.Fatalf("element %d is %q, %v", i, v.s, v.b)
			}
		}
		for _, v := range all[len(all):cap(all)] {
			if v.s != "" || v.u != nil {
				t.Fatal("the tail is not zero")
			}
		}
	}
}
