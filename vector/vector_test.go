package vector_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/palloctest"
	"github.com/gopalloc/palloc/vector"
)

// A Vector compared with a slice, and at its ends: without memory, without a context.

// runProgram runs a program of operations on a Vector in mc.
func runProgram(t *testing.T, mc palloc.Context, code []byte) {
	t.Helper()
	v := vector.New[int](mc)
	var model []int
	var addresses []*int
	for i, op := range code {
		switch {
		case op < 150:
			for range 1 + op%40 {
				addresses = append(addresses, v.Append(i))
				model = append(model, i)
			}
		case op < 200:
			for range op % 60 {
				got, popped := v.Pop()
				if popped != (len(model) > 0) || popped && got != model[len(model)-1] {
					t.Fatalf("Pop = %d, %v", got, popped)
				}
				model, addresses = model[:max(len(model)-1, 0)], addresses[:max(len(model)-1, 0)]
			}
		case op < 205:
			v.Clear()
			model, addresses = nil, nil
		case op < 208:
			v.Free()
			model, addresses = nil, nil
		case op < 230 && len(model) > 0:
			at := i * 7919 % len(model)
			model[at] = -i
			*v.At(at) = -i
		}
		if v.Len() != len(model) {
			t.Fatalf("Len is %d, want %d", v.Len(), len(model))
		}
	}
	seen := 0
	for i, p := range v.All() {
		if i != seen || *p != model[i] || p != addresses[i] || p != v.At(i) {
			t.Fatalf("element %d is %d at %p", i, *p, p)
		}
		seen++
	}
	if seen != len(model) {
		t.Fatalf("All yields %d elements of %d", seen, len(model))
	}
	v.Free()
}

func filled(mc palloc.Context) *vector.Vector[int] {
	v := vector.New[int](mc)
	v.Append(1)
	return v
}

var uses = map[string]func(v *vector.Vector[int]){
	"Len":       func(v *vector.Vector[int]) { v.Len() },
	"At":        func(v *vector.Vector[int]) { v.At(0) },
	"Append":    func(v *vector.Vector[int]) { v.Append(1) },
	"TryAppend": func(v *vector.Vector[int]) { _, _ = v.TryAppend(1) },
	"Pop":       func(v *vector.Vector[int]) { v.Pop() },
	"Clear":     func(v *vector.Vector[int]) { v.Clear() },
	"Free":      func(v *vector.Vector[int]) { v.Free() },
	"All":       func(v *vector.Vector[int]) { v.All()(func(int, *int) bool { return true }) },
}

func TestARefusalLeavesTheVectorAsItWas(t *testing.T) {
	for kind := range 4 {
		mc := containertest.ContextOf(palloctest.New(t, palloctest.Unchecked()), kind)
		v := vector.New[[2000]byte](mc)
		refused := 0
		for i := range 600 {
			for room := int64(0); ; room += 1024 {
				mc.SetLimit(mc.TreeHeld() + room)
				p, err := v.TryAppend([2000]byte{byte(i)})
				if err == nil {
					break
				}
				var oom *palloc.OutOfMemoryError
				if refused++; !errors.As(err, &oom) || p != nil || v.Len() != i {
					t.Fatalf("%s: %v, %d elements of %d", mc.Name(), err, v.Len(), i)
				}
			}
		}
		for i, p := range v.All() {
			if p[0] != byte(i) {
				t.Fatalf("%s: element %d is %d", mc.Name(), i, p[0])
			}
		}
		if refused < 7 || v.Len() != 600 {
			t.Errorf("%s: %d refusals, %d elements", mc.Name(), refused, v.Len())
		}
		mc.SetLimit(palloc.NoLimit)
		if v.Free(); mc.Kind().Frees() && !mc.IsEmpty() {
			t.Errorf("%s: Free left chunks", mc.Name())
		}
		mc.Delete()
	}
}

// TestPressureUsesTheVector has a function of OnPressure that appends, takes out and frees.
func TestPressureUsesTheVector(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	v := vector.New[[500]byte](mc)
	mc.SetLimit(1 << 20)
	calls, n := 0, 0
	defer mc.OnPressure(func(palloc.Pressure) error {
		switch calls++; calls % 3 {
		case 0:
			v.Free()
			n = 0
		case 1:
			v.Append([500]byte{})
			n++
		case 2:
			v.Pop()
			n--
		}
		return nil
	})()
	for range 20_000 {
		if _, err := v.TryAppend([500]byte{}); err == nil {
			n++
		}
		if v.Len() != n {
			t.Fatalf("%d elements, want %d", v.Len(), n)
		}
	}
	if calls < 3 {
		t.Errorf("%d calls", calls)
	}
	v.Free()
}

func TestAWrongIndexIsAFault(t *testing.T) {
	mc := palloctest.New(t)
	v := filled(mc)
	for _, i := range []int{-1, 1, 7, 1 << 30} {
		containertest.WantFault(t, func() { v.At(i) }, "vector.Vector.At", "index")
	}
	v.Free()
}

func TestALoopMayChangeTheVector(t *testing.T) {
	mc := palloctest.New(t)
	v := filled(mc)
	var seen []int
	for i, p := range v.All() {
		if seen = append(seen, *p); i < 20 {
			v.Append(i + 2)
		}
		if i == 15 {
			v.Pop()
		}
	}
	if len(seen) != 16 || !slices.IsSorted(seen) || v.Len() != 16 {
		t.Errorf("the loop saw %v", seen)
	}
	for range v.All() {
		v.Free()
	}
	v.Append(1)
	containertest.WantFault(t, func() {
		for range v.All() {
			v.Append(2)
			mc.Reset()
		}
	}, "vector.Vector.All", "reset")
}

func TestNothingIsAllocatedOnGosHeap(t *testing.T) {
	mc := palloctest.New(t)
	v := vector.New[int](mc)
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for i := range 1000 {
			v.Append(i)
		}
		for i, p := range v.All() {
			sum += i + *p + *v.At(i)
		}
		v.Clear()
	}); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
	v.Free()
}

func TestTypesWithGoPointersAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	containertest.WantFault(t, func() { vector.New[*int](mc) }, "MakeSlice[*int]", "pointer")
	mc.Delete()
	containertest.WantFault(t, func() { vector.New[int](mc) }, "MakeSlice", "deleted")
}

func TestModel(t *testing.T) { containertest.Programs(t, 3000, 300, runProgram) }

func FuzzVector(f *testing.F) { containertest.Fuzz(f, runProgram) }

func TestEveryUseAfterTheContextsEndIsAFault(t *testing.T) {
	containertest.EndsWithItsContext(t, "vector.Vector", uses, new(vector.Vector[int]), vector.New[int], filled)
}
