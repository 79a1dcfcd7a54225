package btree_test

import (
	"cmp"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/btree"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/palloctest"
)

// What a Map does at its ends: without memory, without a context, with keys of all kinds.

type wide [160]int // 64 of them take a block of their own

func compareWide(a, b wide) int { return cmp.Compare(a[0], b[0]) }

// TestARefusalLeavesTheMapAsItWas refuses every node that an insertion needs, the first, the second
// and so on, in each kind of context.
func TestARefusalLeavesTheMapAsItWas(t *testing.T) {
	for kind := range containertest.Kinds {
		if testing.Short() && kind > 0 {
			return // takes long in a build with -race
		}
		root := palloctest.New(t, palloctest.Unchecked())
		mc := containertest.ContextOf(root, kind)
		m := btree.NewFunc[wide, int](mc, compareWide)
		const n = 3200 // more than 65 leaves
		refused := 0
		for i := range n {
			k := wide{i * 1201 % n}
			for room := int64(0); ; room += 90_000 {
				mc.SetLimit(mc.TreeHeld() + room)
				_, replaced, err := m.TryPut(k, i)
				if err == nil && !replaced {
					break
				}
				var oom *palloc.OutOfMemoryError
				if refused++; !errors.As(err, &oom) || replaced {
					t.Fatalf("%s: TryPut returned %v, %v", mc.Name(), replaced, err)
				}
				if err := m.Check(); err != nil || m.Len() != i || m.Has(k) {
					t.Fatalf("%s: after a refusal of entry %d: %v, %d entries", mc.Name(), i, err, m.Len())
				}
				if _, spare := m.Nodes(); spare > 0 && mc.Kind().Frees() {
					t.Fatalf("%s: %d nodes are left of an insertion that was refused", mc.Name(), spare)
				}
			}
		}
		if all, _ := m.Nodes(); refused < all-all/16 { // a block may have room for a second node
			t.Errorf("%s: %d refusals for %d nodes", mc.Name(), refused, all)
		}
		if err := m.Check(); err != nil || m.Len() != n {
			t.Errorf("%s: %v, %d entries", mc.Name(), err, m.Len())
		}
		mc.SetLimit(mc.TreeHeld())
		if _, replaced := m.Put(wide{1}, -1); !replaced {
			t.Errorf("%s: a value was not replaced", mc.Name())
		}
		mc.Delete()
	}
}

// TestPressureUsesTheMap has a function of OnPressure that deletes and adds entries of the Map
// whose insertion is refused.
func TestPressureUsesTheMap(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	m := btree.NewFunc[wide, int](mc, compareWide)
	mc.SetLimit(3 << 20)
	calls := 0
	stop := mc.OnPressure(func(palloc.Pressure) error {
		calls++
		for k := range m.All() {
			if k[0]%8 != 0 {
				m.Delete(k)
			}
		}
		m.Put(wide{-calls * 8}, calls)
		return nil
	})
	defer stop()
	for i := range 10_000 {
		if _, _, err := m.TryPut(wide{i}, i); err != nil && calls == 0 {
			t.Fatal(err)
		}
		if i%500 == 0 {
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Check(); err != nil || calls < 2 || !m.Has(wide{-8}) {
		t.Errorf("%v after %d calls", err, calls)
	}
	m.Free()
}

func TestEveryUseAfterTheContextsEndIsAFault(t *testing.T) {
	uses := map[string]func(m *btree.Map[int, int]){
		"Len":          func(m *btree.Map[int, int]) { m.Len() },
		"Get":          func(m *btree.Map[int, int]) { m.Get(1) },
		"Ref":          func(m *btree.Map[int, int]) { m.Ref(1) },
		"Put":          func(m *btree.Map[int, int]) { m.Put(1, 2) },
		"TryPut":       func(m *btree.Map[int, int]) { _, _, _ = m.TryPut(1, 2) },
		"Delete":       func(m *btree.Map[int, int]) { m.Delete(1) },
		"Min":          func(m *btree.Map[int, int]) { m.Min() },
		"Max":          func(m *btree.Map[int, int]) { m.Max() },
		"Ceil":         func(m *btree.Map[int, int]) { m.Ceil(1) },
		"Floor":        func(m *btree.Map[int, int]) { m.Floor(1) },
		"Clear":        func(m *btree.Map[int, int]) { m.Clear() },
		"Free":         func(m *btree.Map[int, int]) { m.Free() },
		"All":          func(m *btree.Map[int, int]) { m.All()(func(_, _ int) bool { return true }) },
		"From":         func(m *btree.Map[int, int]) { m.From(1)(func(_, _ int) bool { return true }) },
		"Range":        func(m *btree.Map[int, int]) { m.Range(1, 9)(func(_, _ int) bool { return true }) },
		"Backward":     func(m *btree.Map[int, int]) { m.Backward()(func(_, _ int) bool { return true }) },
		"BackwardFrom": func(m *btree.Map[int, int]) { m.BackwardFrom(9)(func(_, _ int) bool { return true }) },
	}
	root := palloctest.New(t, palloctest.Unchecked())
	for kind := range containertest.Kinds {
		for name, use := range uses {
			mc := containertest.ContextOf(root, kind)
			m := btree.New[int, int](mc)
			m.Put(1, 1)
			mc.Reset()
			containertest.WantFault(t, func() { use(m) }, "btree.Map."+name, "reset", mc.Name())
			mc.Alloc(2000)
			containertest.WantFault(t, func() { use(m) }, "btree.Map."+name, "reset")
			mc.Delete()
			containertest.WantFault(t, func() { use(m) }, "btree.Map."+name)
		}
		for name, use := range uses {
			containertest.WantFault(t, func() { use(new(btree.Map[int, int])) }, "btree.Map."+name)
		}
	}
}

func TestAResetInALoopIsAFault(t *testing.T) {
	for kind := range containertest.Kinds {
		mc := containertest.ContextOf(palloctest.New(t), kind)
		for _, back := range []bool{false, true} {
			m := btree.New[int, int](mc)
			m.Put(1, 1)
			m.Put(2, 2)
			op, seq := "btree.Map.All", m.All()
			if back {
				op, seq = "btree.Map.Backward", m.Backward()
			}
			containertest.WantFault(t, func() {
				for range seq {
					mc.Reset()
				}
			}, op, "reset")
		}
		mc.Delete()
	}
}

func TestAMapWithoutNodesOutlivesAReset(t *testing.T) {
	for kind := range containertest.Kinds {
		mc := containertest.ContextOf(palloctest.New(t), kind)
		m := btree.New[int, int](mc)
		mc.Alloc(100)
		mc.Reset()
		if m.Len() != 0 || m.Has(1) {
			t.Error("an empty Map has entries")
		}
		m.Put(1, 1)
		if m.Len() != 1 {
			t.Error("an entry is missing")
		}
		mc.Delete()
	}
}

func TestTypesWithGoPointersAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	containertest.WantFault(t, func() { btree.New[string, int](mc) }, "MakeSlice[string]")
	containertest.WantFault(t, func() { btree.New[int, *int](mc) }, "MakeSlice[*int]")
	containertest.WantFault(t, func() { btree.New[int, map[int]int](mc) }, "MakeSlice[map[int]int]")
	mc.Delete()
	containertest.WantFault(t, func() { btree.New[int, int](mc) }, "MakeSlice")
}

type name struct {
	palloc.NoHeapPointers
	text string
}

func TestKeysAndValuesMayPointIntoContexts(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	m := btree.NewFunc[name, name](mc, func(a, b name) int { return strings.Compare(a.text, b.text) })
	for _, w := range strings.Fields("the quick brown fox jumps over the lazy dog") {
		m.Put(name{text: palloc.CloneString(mc, w)}, name{text: palloc.CloneString(mc, strings.ToUpper(w))})
	}
	text := ""
	for k, v := range m.All() {
		text += k.text + v.text + " "
	}
	if want := "brownBROWN dogDOG foxFOX jumpsJUMPS lazyLAZY overOVER quickQUICK theTHE "; text != want {
		t.Error(text)
	}
}

func TestNaNIsAKey(t *testing.T) {
	mc := palloctest.New(t)
	m := btree.New[float64, int](mc)
	defer m.Free()
	for i, k := range []float64{3, math.NaN(), math.Inf(-1), 0, math.NaN(), math.Copysign(0, -1)} {
		m.Put(k, i)
	}
	for range 2 {
		for i := range 1000 {
			m.Put(float64(i), i)
		}
	}
	k, v, found := m.Min()
	if _, has := m.Get(math.NaN()); m.Len() != 1002 || k == k || v != 4 || !found || !has {
		t.Errorf("%d entries, the first one %v, %v", m.Len(), k, v)
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

func TestValuesWithoutSize(t *testing.T) {
	mc := palloctest.New(t)
	m := btree.New[uint8, struct{}](mc)
	for i := range 1000 {
		m.Put(uint8(i), struct{}{})
	}
	if err := m.Check(); m.Len() != 256 || err != nil {
		t.Error(m.Len(), err)
	}
	m.Free()
}

// TestAscendingKeysFillTheLeaves counts the nodes of 64,000 ascending keys: 1000 full leaves, and
// inner nodes that are full but for one at the end of each level.
func TestAscendingKeysFillTheLeaves(t *testing.T) {
	mc := palloctest.New(t)
	m := btree.New[int, int](mc)
	for i := range 64_000 {
		m.Put(i, i)
	}
	if all, _ := m.Nodes(); all > 1000+1000/64+3 {
		t.Errorf("%d nodes", all)
	}
	m.Free()
}

// TestABumpsNodesAreUsedAgain fills and empties a Map in a Bump over and over.
func TestABumpsNodesAreUsedAgain(t *testing.T) {
	mc := palloc.NewBump(palloctest.New(t), "Bump")
	m := btree.New[int, int](mc)
	held := int64(0)
	for round := range 20 {
		for i := range 10_000 {
			m.Put(i*7919%10_000, i)
		}
		if round == 0 {
			held = mc.Held()
		}
		switch round % 3 {
		case 0:
			for k := range m.All() {
				m.Delete(k)
			}
		case 1:
			m.Clear()
		case 2:
			m.Free()
		}
	}
	if mc.Held() > held {
		t.Errorf("%d bytes held after one round, %d after twenty", held, mc.Held())
	}
	mc.Delete()
}

func TestNothingIsAllocatedOnGosHeap(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	m := btree.New[int, int](mc)
	next, sum := 0, 0
	for ; next < 2000; next++ {
		m.Put(next, next)
	}
	steady := func() {
		for range 200 {
			m.Put(next, next)
			m.Delete(next - 2000)
			next++
		}
		for k, v := range m.All() {
			sum += k + v
		}
		for k := range m.Range(next-100, next-50) {
			sum += k
		}
		for k := range m.Backward() {
			sum += k
		}
		if v, ok := m.Get(next - 1); !ok || v != next-1 {
			t.Error("an entry is missing")
		}
	}
	if n := testing.AllocsPerRun(100, steady); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
	m.Free()
}

// TestLargeMapsKeepTheirShape fills Maps of several levels of inner nodes and empties them in
// different orders, which splits, joins and evens nodes of each level at each place.
func TestLargeMapsKeepTheirShape(t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 60_000
	}
	mc := palloctest.New(t, palloctest.Unchecked())
	for name, place := range map[string]func(i int) int{
		"in order":    func(i int) int { return i },
		"in reverse":  func(i int) int { return n - 1 - i },
		"at random":   func(i int) int { return i * 7919 % n },
		"in the half": func(i int) int { return (n/2 + i) % n },
	} {
		for _, step := range []int{7919, 104_729, n - 1} {
			m := btree.New[int, int](mc)
			for i := range n {
				m.Put(int(int64(i)*int64(step)%int64(n)), i)
			}
			for i := range n {
				if i%(n/8) == 0 || i == n-100 {
					if err := m.Check(); err != nil || m.Len() != n-i {
						t.Fatalf("%s, step %d: %v, %d entries, want %d", name, step, err, m.Len(), n-i)
					}
				}
				if _, deleted := m.Delete(place(i)); !deleted {
					t.Fatalf("%s, step %d: %d is missing", name, step, place(i))
				}
			}
			if m.Len() != 0 || !mc.IsEmpty() {
				t.Fatalf("%s, step %d: %d entries are left", name, step, m.Len())
			}
		}
	}
}
