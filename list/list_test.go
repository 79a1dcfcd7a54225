package list_test

import (
	"slices"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/list"
	"github.com/gopalloc/palloc/palloctest"
)

// Lists compared with slices, and misuse.

type element struct {
	palloc.NoHeapPointers
	id         int
	main, side list.Links[element]
}

func newMain() *list.List[element] {
	return list.New(func(e *element) *list.Links[element] { return &e.main })
}

func newSide() *list.List[element] {
	return list.New(func(e *element) *list.Links[element] { return &e.side })
}

// A model is what a List should hold; all its elements are in the second one, too.
type model struct {
	t    *testing.T
	mc   palloc.Context
	l    *list.List[element]
	side *list.List[element]
	s    []*element
}

func (x *model) make(i int) *element {
	e := palloc.New[element](x.mc)
	e.id = i
	x.side.PushFront(e)
	return e
}

func (x *model) drop(at int) {
	e := x.s[at]
	x.s = slices.Delete(x.s, at, at+1)
	x.side.Remove(e)
	if x.mc.Kind().Frees() {
		palloc.Free(e)
	}
}

func (x *model) step(i int, op byte) {
	x.t.Helper()
	at := 0
	if len(x.s) > 0 {
		at = i * 31 % len(x.s)
	}
	switch {
	case op < 50:
		x.s = append(x.s, x.make(i))
		x.l.PushBack(x.s[len(x.s)-1])
	case op < 100:
		x.s = slices.Insert(x.s, 0, x.make(i))
		x.l.PushFront(x.s[0])
	case len(x.s) == 0:
		if x.l.PopFront() != nil || x.l.PopBack() != nil || x.l.Front() != nil || x.l.Back() != nil {
			x.t.Fatal("an empty list has an element")
		}
	case op < 120:
		x.s = slices.Insert(x.s, at+1, x.make(i))
		x.l.InsertAfter(x.s[at+1], x.s[at])
	case op < 140:
		x.s = slices.Insert(x.s, at, x.make(i))
		x.l.InsertBefore(x.s[at], x.s[at+1])
	case op < 170:
		x.l.Remove(x.s[at])
		x.drop(at)
	case op < 190:
		if x.l.PopFront() != x.s[0] {
			x.t.Fatal("PopFront returns another one")
		}
		x.drop(0)
	case op < 210:
		if x.l.PopBack() != x.s[len(x.s)-1] {
			x.t.Fatal("PopBack returns another one")
		}
		x.drop(len(x.s) - 1)
	case op < 220:
		e := x.s[at]
		x.l.MoveToFront(e)
		x.s = slices.Insert(slices.Delete(x.s, at, at+1), 0, e)
	case op < 230:
		e := x.s[at]
		x.l.MoveToBack(e)
		x.s = append(slices.Delete(x.s, at, at+1), e)
	case op < 235:
		i := 0
		for e := range x.l.All() {
			if e.id%3 == 0 {
				x.l.Remove(e)
				x.drop(i)
			} else {
				i++
			}
		}
	}
	x.check()
}

func (x *model) check() {
	x.t.Helper()
	back := slices.Collect(x.l.Backward())
	slices.Reverse(back)
	if !slices.Equal(slices.Collect(x.l.All()), x.s) || !slices.Equal(back, x.s) || x.l.Len() != len(x.s) || x.side.Len() != len(x.s) {
		x.t.Fatalf("the list has %d elements, backward %d, want %d", x.l.Len(), len(back), len(x.s))
	}
	for i, e := range x.s {
		var prev, next *element
		if i > 0 {
			prev = x.s[i-1]
		}
		if i < len(x.s)-1 {
			next = x.s[i+1]
		}
		if x.l.Prev(e) != prev || x.l.Next(e) != next || !x.l.Has(e) || !x.side.Has(e) {
			x.t.Fatalf("element %d has other neighbors", i)
		}
	}
}

// runProgram runs a program of operations on a List of elements in mc.
func runProgram(t *testing.T, mc palloc.Context, code []byte) {
	t.Helper()
	x := &model{t: t, mc: mc, l: newMain(), side: newSide()}
	for i, op := range code {
		x.step(i, op)
	}
	for len(x.s) > 0 {
		x.l.Remove(x.s[0])
		x.drop(0)
	}
	x.check()
}

func TestMisuseIsAFault(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	l, other := newMain(), newMain()
	e, f := palloc.New[element](mc), palloc.New[element](mc)
	l.PushBack(e)
	for name, use := range map[string]func(){
		"PushFront":    func() { l.PushFront(e) },
		"PushBack":     func() { other.PushBack(e) },
		"InsertAfter":  func() { l.InsertAfter(e, e) },
		"InsertBefore": func() { l.InsertBefore(e, e) },
	} {
		containertest.WantFault(t, use, "list.List."+name, "in a list already")
	}
	for name, use := range map[string]func(){
		"Remove":       func() { other.Remove(e) },
		"MoveToFront":  func() { l.MoveToFront(f) },
		"MoveToBack":   func() { l.MoveToBack(f) },
		"Next":         func() { l.Next(f) },
		"Prev":         func() { other.Prev(e) },
		"InsertAfter":  func() { l.InsertAfter(f, f) },
		"InsertBefore": func() { other.InsertBefore(f, e) },
	} {
		containertest.WantFault(t, use, "list.List."+name, "not in the list")
	}
	if l.Len() != 1 || l.Front() != e || other.Len() != 0 {
		t.Error("misuse has changed a list")
	}
}

func TestForgetIsForElementsThatAreGone(t *testing.T) {
	mc := palloctest.New(t)
	l := newMain()
	l.PushBack(palloc.New[element](mc))
	mc.Reset()
	l.Forget()
	e := &element{id: 7} // on Go's heap
	l.PushBack(e)
	l.Forget()
	if l.Len() != 0 || l.Front() != nil || l.Has(e) {
		t.Error("something is left")
	}
	e.main = list.Links[element]{}
	l.PushBack(e)
	if l.Front() != e || !l.Has(e) {
		t.Error("the element is missing")
	}
}

func TestNothingIsAllocatedOnGosHeap(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	l := newMain()
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for i := range 100 {
			e := palloc.New[element](mc)
			e.id = i
			l.PushBack(e)
		}
		for e := range l.All() {
			sum += e.id
			l.MoveToFront(e)
		}
		for e := range l.Backward() {
			l.Remove(e)
			palloc.Free(e)
		}
	}); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
}

func TestModel(t *testing.T) { containertest.Programs(t, 3000, 300, runProgram) }

func FuzzList(f *testing.F) { containertest.Fuzz(f, runProgram) }
