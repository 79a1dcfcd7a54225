package deque_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/deque"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/palloctest"
)

// A Deque compared with a slice, and at its ends: without memory, without a context.

// A model is what a Deque should hold.
type model struct {
	t *testing.T
	d *deque.Deque[int]
	s []int
}

func (x *model) pop(front bool) {
	x.t.Helper()
	pop, at := x.d.PopBack, len(x.s)-1
	if front {
		pop, at = x.d.PopFront, 0
	}
	got, popped := pop()
	if popped != (len(x.s) > 0) || popped && got != x.s[at] {
		x.t.Fatalf("popped %d, %v", got, popped)
	}
	if popped {
		x.s = slices.Delete(x.s, at, at+1)
	}
}

func (x *model) step(i int, op byte) {
	x.t.Helper()
	switch {
	case op < 80:
		for range 1 + op%10 {
			x.d.PushBack(i)
			x.s = append(x.s, i)
		}
	case op < 150:
		for range 1 + op%10 {
			x.d.PushFront(i)
			x.s = slices.Insert(x.s, 0, i)
		}
	case op < 240:
		for range op % 12 {
			x.pop(op&1 != 0)
		}
	case op < 243:
		x.d.Clear()
		x.s = nil
	case op < 246:
		x.d.Free()
		x.s = nil
	}
	if x.d.Len() != len(x.s) {
		x.t.Fatalf("Len is %d, want %d", x.d.Len(), len(x.s))
	}
	if len(x.s) > 0 && (*x.d.Front() != x.s[0] || *x.d.Back() != x.s[len(x.s)-1] || *x.d.At(i % len(x.s)) != x.s[i%len(x.s)]) {
		x.t.Fatalf("the ends are %d and %d, want %d and %d", *x.d.Front(), *x.d.Back(), x.s[0], x.s[len(x.s)-1])
	}
	if len(x.s) == 0 && (x.d.Front() != nil || x.d.Back() != nil) {
		x.t.Fatal("an empty Deque has ends")
	}
}

// runProgram runs a program of operations on a Deque in mc.
func runProgram(t *testing.T, mc palloc.Context, code []byte) {
	t.Helper()
	x := &model{t: t, d: deque.New[int](mc)}
	for i, op := range code {
		x.step(i, op)
	}
	var all, back []int
	for _, v := range x.d.All() {
		all = append(all, v)
	}
	for i, v := range x.d.Backward() {
		if back = append(back, v); i != len(x.s)-len(back) {
			t.Fatalf("Backward yields index %d", i)
		}
	}
	if slices.Reverse(back); !slices.Equal(all, x.s) || !slices.Equal(back, x.s) {
		t.Fatalf("All yields %v, Backward %v, want %v", all, back, x.s)
	}
	x.d.Free()
}

func filled(mc palloc.Context) *deque.Deque[int] {
	d := deque.New[int](mc)
	d.PushBack(1)
	d.PushBack(2)
	return d
}

var uses = map[string]func(d *deque.Deque[int]){
	"Len":          func(d *deque.Deque[int]) { d.Len() },
	"At":           func(d *deque.Deque[int]) { d.At(0) },
	"Front":        func(d *deque.Deque[int]) { d.Front() },
	"Back":         func(d *deque.Deque[int]) { d.Back() },
	"PushBack":     func(d *deque.Deque[int]) { d.PushBack(1) },
	"TryPushBack":  func(d *deque.Deque[int]) { _ = d.TryPushBack(1) },
	"PushFront":    func(d *deque.Deque[int]) { d.PushFront(1) },
	"TryPushFront": func(d *deque.Deque[int]) { _ = d.TryPushFront(1) },
	"PopFront":     func(d *deque.Deque[int]) { d.PopFront() },
	"PopBack":      func(d *deque.Deque[int]) { d.PopBack() },
	"Clear":        func(d *deque.Deque[int]) { d.Clear() },
	"Free":         func(d *deque.Deque[int]) { d.Free() },
	"All":          func(d *deque.Deque[int]) { d.All()(func(int, int) bool { return true }) },
	"Backward":     func(d *deque.Deque[int]) { d.Backward()(func(int, int) bool { return true }) },
}

func TestARefusalLeavesTheDequeAsItWas(t *testing.T) {
	for kind := range 4 {
		mc := containertest.ContextOf(palloctest.New(t, palloctest.Unchecked()), kind)
		d := deque.New[[2000]byte](mc)
		refused := 0
		for i := range 300 {
			try := d.TryPushBack
			if i%2 != 0 {
				try = d.TryPushFront
			}
			for room := int64(0); ; room += 1024 {
				mc.SetLimit(mc.TreeHeld() + room)
				err := try([2000]byte{byte(i)})
				if err == nil {
					break
				}
				var oom *palloc.OutOfMemoryError
				if refused++; !errors.As(err, &oom) || d.Len() != i {
					t.Fatalf("%s: %v, %d elements of %d", mc.Name(), err, d.Len(), i)
				}
			}
		}
		for i := range 300 {
			pop := d.PopBack
			if i%2 == 0 {
				pop = d.PopFront
			}
			if v, popped := pop(); !popped || v[0] != byte(299-i) {
				t.Fatalf("%s: element %d is %d", mc.Name(), i, v[0])
			}
		}
		if refused < 6 {
			t.Errorf("%s: %d refusals", mc.Name(), refused)
		}
		mc.Delete()
	}
}

// TestPressureUsesTheDeque has a function of OnPressure that adds, takes out and frees.
func TestPressureUsesTheDeque(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	d := deque.New[[500]byte](mc)
	mc.SetLimit(1 << 20)
	calls, n := 0, 0
	defer mc.OnPressure(func(palloc.Pressure) error {
		switch calls++; calls % 3 {
		case 0:
			d.Free()
			n = 0
		case 1:
			d.PopFront()
			d.PushFront([500]byte{})
		case 2:
			d.PopBack()
			n--
		}
		return nil
	})()
	for range 20_000 {
		if d.TryPushBack([500]byte{}) == nil {
			n++
		}
		if d.Len() != n {
			t.Fatalf("%d elements, want %d", d.Len(), n)
		}
	}
	if calls < 3 {
		t.Errorf("%d calls", calls)
	}
	d.Free()
}

func TestAWrongIndexIsAFault(t *testing.T) {
	mc := palloctest.New(t)
	d := filled(mc)
	for _, i := range []int{-1, 2, 7, 1 << 30} {
		containertest.WantFault(t, func() { d.At(i) }, "deque.Deque.At", "index")
	}
	d.Free()
}

func TestALoopMayChangeTheDeque(t *testing.T) {
	mc := palloctest.New(t)
	d := filled(mc)
	var seen []int
	for _, v := range d.All() {
		if seen = append(seen, v); v < 50 {
			d.PushBack(v + 2)
		}
	}
	for i := range d.Backward() {
		if i%2 == 0 {
			d.PopBack()
			d.PopBack()
		}
	}
	if len(seen) != 51 || d.Len() != 0 {
		t.Errorf("the loop saw %v, %d are left", seen, d.Len())
	}
	d.PushBack(1)
	d.PushBack(1)
	containertest.WantFault(t, func() {
		for range d.All() {
			mc.Reset()
		}
	}, "deque.Deque.All", "reset")
}

func TestNothingIsAllocatedOnGosHeap(t *testing.T) {
	mc := palloctest.New(t)
	d := deque.New[int](mc)
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for i := range 1000 {
			d.PushBack(i)
			d.PushFront(i)
		}
		for i, v := range d.All() {
			sum += i + v
		}
		for d.Len() > 0 {
			v, _ := d.PopFront()
			sum += v
		}
	}); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
	d.Free()
}

func TestTypesWithGoPointersAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	containertest.WantFault(t, func() { deque.New[*int](mc) }, "MakeSlice[*int]", "pointer")
	mc.Delete()
	containertest.WantFault(t, func() { deque.New[int](mc) }, "MakeSlice", "deleted")
}

func TestModel(t *testing.T) { containertest.Programs(t, 3000, 300, runProgram) }

func FuzzDeque(f *testing.F) { containertest.Fuzz(f, runProgram) }

func TestEveryUseAfterTheContextsEndIsAFault(t *testing.T) {
	containertest.EndsWithItsContext(t, "deque.Deque", uses, new(deque.Deque[int]), deque.New[int], filled)
}
