package heap_test

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/heap"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/palloctest"
)

// A Heap compared with a sorted slice, and at its ends: without memory, without a context.

// A model is what a Heap should hold. where has the index of each element by its id, as Track tells.
type model struct {
	t     *testing.T
	mc    palloc.Context
	h     *heap.Heap[item]
	s     []int // sorted
	where map[int]int
	next  int
}

type item struct{ key, id int }

func (x *model) add(key int) item {
	x.next++
	i, _ := slices.BinarySearch(x.s, key)
	x.s = slices.Insert(x.s, i, key)
	return item{key, x.next}
}

func (x *model) drop(v item) {
	x.t.Helper()
	i, found := slices.BinarySearch(x.s, v.key)
	if !found {
		x.t.Fatalf("%v was not there", v)
	}
	x.s = slices.Delete(x.s, i, i+1)
	delete(x.where, v.id)
}

func (x *model) step(i int, op byte) {
	x.t.Helper()
	switch {
	case op < 110:
		for range 1 + op%8 {
			x.h.Push(x.add(int(op) * i % 97))
		}
	case op < 170:
		for range op % 8 {
			v, popped := x.h.Pop()
			if popped != (len(x.s) > 0) || popped && v.key != x.s[0] {
				x.t.Fatalf("Pop = %v, %v", v, popped)
			}
			if popped {
				x.drop(v)
			}
		}
	case op < 190 && len(x.s) > 0:
		at := i % len(x.s)
		want := *x.h.At(at)
		if v := x.h.Remove(at); v != want {
			x.t.Fatalf("Remove(%d) = %v, want %v", at, v, want)
		}
		x.drop(want)
	case op < 235 && len(x.s) > 0:
		v := x.h.At(i % len(x.s))
		x.drop(*v)
		*v = x.add(int(op) * i % 89)
		x.h.Fix(i % len(x.s))
	case op == 240:
		x.h.Clear()
		x.s = nil
		clear(x.where)
	case op == 241:
		x.h.Free()
		x.s = nil
		clear(x.where)
	case op >= 250:
		var s []item
		x.s = nil
		clear(x.where)
		for k := range i % 60 {
			s = palloc.Append(x.mc, s, x.add(k*31%37))
		}
		x.h.Init(s)
	}
	x.check()
}

func (x *model) check() {
	x.t.Helper()
	if v, found := x.h.Min(); x.h.Len() != len(x.s) || found != (len(x.s) > 0) || found && v.key != x.s[0] {
		x.t.Fatalf("Min = %v of %d, want %v", v, x.h.Len(), x.s)
	}
	for i, v := range x.h.All() {
		if at, told := x.where[v.id]; !told || at != i {
			x.t.Fatalf("element %v is at %d; Track was told %d, %v", v, i, at, told)
		}
	}
	if len(x.where) != len(x.s) {
		x.t.Fatalf("Track knows %d of %d", len(x.where), len(x.s))
	}
}

// runProgram runs a program of operations on a Heap in mc.
func runProgram(t *testing.T, mc palloc.Context, code []byte) {
	t.Helper()
	x := &model{t: t, mc: mc, where: map[int]int{}, h: heap.NewFunc(mc, func(a, b item) int { return cmp.Compare(a.key, b.key) })}
	x.h.Track(func(v *item, i int) { x.where[v.id] = i })
	plain := heap.New[int](mc)
	for i, op := range code {
		x.step(i, op)
		plain.Push(int(op))
	}
	for _, want := range x.s {
		if v, popped := x.h.Pop(); !popped || v.key != want {
			t.Fatalf("Pop = %v, %v, want %d", v, popped, want)
		}
	}
	code = slices.Sorted(slices.Values(code))
	for _, want := range code {
		if v, popped := plain.Pop(); !popped || v != int(want) {
			t.Fatalf("Pop = %v, %v, want %d", v, popped, want)
		}
	}
	x.h.Free()
	plain.Free()
}

func filled(mc palloc.Context) *heap.Heap[int] {
	h := heap.New[int](mc)
	h.Push(2)
	h.Push(1)
	return h
}

var uses = map[string]func(h *heap.Heap[int]){
	"Len":     func(h *heap.Heap[int]) { h.Len() },
	"At":      func(h *heap.Heap[int]) { h.At(0) },
	"Min":     func(h *heap.Heap[int]) { h.Min() },
	"Push":    func(h *heap.Heap[int]) { h.Push(1) },
	"TryPush": func(h *heap.Heap[int]) { _ = h.TryPush(1) },
	"Pop":     func(h *heap.Heap[int]) { h.Pop() },
	"Remove":  func(h *heap.Heap[int]) { h.Remove(0) },
	"Fix":     func(h *heap.Heap[int]) { h.Fix(0) },
	"Init":    func(h *heap.Heap[int]) { h.Init(nil) },
	"Clear":   func(h *heap.Heap[int]) { h.Clear() },
	"Free":    func(h *heap.Heap[int]) { h.Free() },
	"All":     func(h *heap.Heap[int]) { h.All()(func(int, int) bool { return true }) },
}

func TestARefusalLeavesTheHeapAsItWas(t *testing.T) {
	for kind := range 4 {
		mc := containertest.ContextOf(palloctest.New(t, palloctest.Unchecked()), kind)
		h := heap.NewFunc(mc, func(a, b [2000]byte) int { return cmp.Compare(a[0], b[0]) })
		refused := 0
		for i := range 250 {
			for room := int64(0); ; room += 1024 {
				mc.SetLimit(mc.TreeHeld() + room)
				err := h.TryPush([2000]byte{byte(i * 131 % 250)})
				if err == nil {
					break
				}
				var oom *palloc.OutOfMemoryError
				if refused++; !errors.As(err, &oom) || h.Len() != i {
					t.Fatalf("%s: %v, %d elements of %d", mc.Name(), err, h.Len(), i)
				}
			}
		}
		for i := range 250 {
			if v, popped := h.Pop(); !popped || v[0] != byte(i) {
				t.Fatalf("%s: element %d is %d", mc.Name(), i, v[0])
			}
		}
		if refused < 6 {
			t.Errorf("%s: %d refusals", mc.Name(), refused)
		}
		mc.Delete()
	}
}

// TestPressureUsesTheHeap has a function of OnPressure that adds, takes out and frees.
func TestPressureUsesTheHeap(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	h := heap.NewFunc(mc, func(a, b [500]byte) int { return cmp.Compare(a[0], b[0]) })
	mc.SetLimit(1 << 20)
	calls, n := 0, 0
	defer mc.OnPressure(func(palloc.Pressure) error {
		switch calls++; calls % 3 {
		case 0:
			h.Free()
			n = 0
		case 1:
			h.Pop()
			h.Push([500]byte{})
		case 2:
			h.Pop()
			n--
		}
		return nil
	})()
	for range 20_000 {
		if h.TryPush([500]byte{}) == nil {
			n++
		}
		if h.Len() != n {
			t.Fatalf("%d elements, want %d", h.Len(), n)
		}
	}
	if calls < 3 {
		t.Errorf("%d calls", calls)
	}
	h.Free()
}

func TestAWrongIndexIsAFault(t *testing.T) {
	mc := palloctest.New(t)
	h := filled(mc)
	for _, i := range []int{-1, 2, 7, 1 << 30} {
		containertest.WantFault(t, func() { h.At(i) }, "heap.Heap.At", "index")
		containertest.WantFault(t, func() { h.Fix(i) }, "heap.Heap.Fix", "index")
		containertest.WantFault(t, func() { h.Remove(i) }, "heap.Heap.Remove", "index")
	}
	h.Free()
}

func TestNaNComesFirst(t *testing.T) {
	mc := palloctest.New(t)
	h := heap.New[float64](mc)
	for i := range 50 {
		h.Push(float64(i * 17 % 50))
		h.Push(math.NaN())
	}
	for i := range 100 {
		if v, _ := h.Pop(); i < 50 && v == v || i >= 50 && v != float64(i-50) {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	h.Free()
}

func TestNothingIsAllocatedOnGosHeap(t *testing.T) {
	mc := palloctest.New(t)
	h := heap.New[int](mc)
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for i := range 1000 {
			h.Push(i * 7919 % 1000)
		}
		for i, v := range h.All() {
			sum += i + v
		}
		for h.Len() > 0 {
			v, _ := h.Pop()
			sum += v
		}
	}); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
	h.Free()
}

func TestTypesWithGoPointersAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	containertest.WantFault(t, func() { heap.NewFunc(mc, func(a, b *int) int { return 0 }) }, "MakeSlice[*int]", "pointer")
	mc.Delete()
	containertest.WantFault(t, func() { heap.New[int](mc) }, "MakeSlice", "deleted")
}

func TestModel(t *testing.T) { containertest.Programs(t, 3000, 300, runProgram) }

func FuzzHeap(f *testing.F) { containertest.Fuzz(f, runProgram) }

func TestEveryUseAfterTheContextsEndIsAFault(t *testing.T) {
	containertest.EndsWithItsContext(t, "heap.Heap", uses, new(heap.Heap[int]), heap.New[int], filled)
}
