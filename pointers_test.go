package palloc_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The pointer rule: all ways to allocate a value check it, with the same refusals, and the
// garbage collector tolerates linked memory. internal/typerule tests which types it accepts.

type (
	leaf    struct{ n, m int }
	holder  struct{ p *leaf }
	foreign struct{ p *leaf } // stands for a type of another package

	withForeign struct {
		n     int
		inner [2]struct{ f foreign }
	}
	lateForeign struct{ p *leaf }
)

type (
	linkedNode struct {
		palloc.NoHeapPointers
		left, right *linkedNode
		n           int
	}
	linkedAll struct {
		palloc.NoHeapPointers
		s    string
		b    []byte
		f    func()
		i    any
		u    unsafe.Pointer
		deep struct{ p [2]*leaf }
	}
	linkedMap struct {
		palloc.NoHeapPointers
		m map[string]int
	}
)

var (
	_ = palloc.AllowPointers[netip.Addr]("the tests keep the zones alive")
	_ = palloc.AllowPointers[foreign]("the tests keep the leaves alive")
)

// refused runs New and its variants for T, and checks that all panic with the same Fault.
// Its Reason begins with the path and has the code that would be accepted. An empty path
// means no Fault.
func refused[T any](t *testing.T, mc palloc.Context, path, code string) {
	t.Helper()
	typ := fmt.Sprintf("%T", *new(T))
	t.Run(typ, func(t *testing.T) {
		for name, use := range map[string]func(){
			"New":          func() { palloc.New[T](mc) },
			"TryNew":       func() { palloc.TryNew[T](mc) },
			"MakeSlice":    func() { palloc.MakeSlice[T](mc, 1, 1) },
			"TryMakeSlice": func() { palloc.TryMakeSlice[T](mc, 1, 1) },
			"Append":       func() { palloc.Append(mc, nil, *new(T)) },
			"TryAppend":    func() { palloc.TryAppend(mc, nil, *new(T)) },
			"Grow":         func() { palloc.Grow[T](mc, nil, 1) },
			"TryGrow":      func() { palloc.TryGrow[T](mc, nil, 1) },
			"Clone":        func() { palloc.Clone(mc, make([]T, 1)) },
			"TryClone":     func() { palloc.TryClone(mc, make([]T, 1)) },
		} {
			switch f := faultOf(t, use); {
			case (f != nil) != (path != ""):
				t.Errorf("%s: the Fault is %v", name, f)
			case f != nil:
				wantText(t, f)
				if f.Op != name+"["+typ+"]" || !strings.HasPrefix(f.Reason, path) || !strings.Contains(f.Reason, code) {
					t.Errorf("the Fault is %v\nnot one of %s[%s] about %s with %s", f, name, typ, path, code)
				}
			}
		}
	})
}

func TestAPointerIsRefusedWithItsPathAndTheLineToWrite(t *testing.T) {
	mc := newRoot(t)
	for range 2 { // the second time the type is known
		refused[holder](t, mc, "palloc_test.holder.p (*palloc_test.leaf) is a Go pointer", "`type holder struct { palloc.NoHeapPointers; ... }`")
		refused[holder](t, mc, "palloc_test.holder.p", "`var _ = palloc.AllowPointers[palloc_test.holder](\"why that holds\")`")
		refused[string](t, mc, "string holds a Go pointer", "`struct { palloc.NoHeapPointers; v string }`")
		refused[linkedMap](t, mc, "palloc_test.linkedMap.m (map[string]int) lies on Go's heap", "`m int`")
	}
	wantEmpty(t, mc)
	wantOrder(t, mc)
	refused[leaf](t, mc, "", "")
	refused[linkedNode](t, mc, "", "")
}

func TestAnAllowedTypeIsAcceptedWhereverItIsNested(t *testing.T) {
	mc := newRoot(t)
	refused[foreign](t, mc, "", "")
	refused[withForeign](t, mc, "", "")
	refused[netip.Addr](t, mc, "", "")
	refused[pair[foreign, int]](t, mc, "", "")
	refused[*foreign](t, mc, "*palloc_test.foreign is a Go pointer", "palloc.NoHeapPointers")
	wantFault(t, func() { palloc.NewUninitialized[foreign](mc) }, "NewUninitialized[palloc_test.foreign]", "", "has pointers")
}

func TestATypeMayBeAllowedAfterItWasRefused(t *testing.T) {
	mc := newRoot(t)
	if faultOf(t, func() { palloc.New[lateForeign](mc) }) == nil {
		return // an earlier run of the test, with -count, has allowed the type
	}
	palloc.AllowPointers[lateForeign]("this test says so")
	refused[lateForeign](t, mc, "", "")
	refused[[2]lateForeign](t, mc, "", "")
}

func TestATypeThatCannotBeAllowedIsAFault(t *testing.T) {
	wantFault(t, func() { palloc.AllowPointers[string]("because") }, "AllowPointers[string]", "", "anybody's")
	wantFault(t, func() { palloc.AllowPointers[linkedMap]("because") }, "AllowPointers[palloc_test.linkedMap]", "", "lies on Go's heap")
	wantFault(t, func() { palloc.AllowPointers[holder]("") }, "AllowPointers[palloc_test.holder]", "", "no reason")
}

func TestAllowancesSayWhatWasAllowedAndWhy(t *testing.T) {
	want := palloc.Allowance{Type: "palloc_test.foreign", Reason: "the tests keep the leaves alive"}
	if got := palloc.AllowPointers[foreign](want.Reason); got != want {
		t.Errorf("AllowPointers returns %+v, not %+v", got, want)
	}
	all := palloc.Allowances()
	if !slices.Contains(all, want) {
		t.Errorf("%+v is not among %+v", want, all)
	}
	if !slices.IsSortedFunc(all, func(a, b palloc.Allowance) int { return strings.Compare(a.Type, b.Type) }) {
		t.Errorf("they are not sorted: %+v", all)
	}
}

// TestLinkedMemoryAndTheCollector changes a tree of linked nodes, in memory that is reused
// dirty, while the collector runs all the time: it would find an invalid pointer in a slot
// that was not cleared.
func TestLinkedMemoryAndTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := sized(200, 20)
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

// grow builds a search tree of the numbers 1 to n, and frees and replaces nodes meanwhile.
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

// soil leaves bytes behind that look like pointers to free memory of Go's heap.
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
			all = append(all[:i], all[i]) // with Go's own append, too
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

// TestAllowedMemoryAndTheCollector keeps pointers in contexts, where the collector does not
// see them, while it runs all the time. The test keeps their targets alive.
func TestAllowedMemoryAndTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := sized(50, 5)
	leaves := make([]*leaf, 300)
	for i := range leaves {
		leaves[i] = &leaf{i, -i}
	}
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	stop := collect()
	defer stop()
	for round := range rounds {
		soil(c, palloc.KindAllocSet)
		c.Reset()
		var all []withForeign
		for i, l := range leaves {
			v := withForeign{n: i}
			v.inner[1].f.p = l
			all = palloc.Append(c, all, v)
			one := palloc.New[foreign](c)
			if one.p != nil {
				t.Fatal("a new value is not zero")
			}
			one.p = l
		}
		addr := palloc.New[netip.Addr](c)
		*addr = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", round))
		garbage = make([]byte, 1<<16)
		for i, v := range all {
			if l := v.inner[1].f.p; v.n != i || v.inner[0].f.p != nil || l != leaves[i] || l.n != i || l.m != -i {
				t.Fatalf("round %d: element %d is %+v", round, i, v)
			}
		}
		if addr.String() != fmt.Sprintf("10.0.0.%d", round) {
			t.Fatalf("round %d: the address is %v", round, addr)
		}
	}
}
