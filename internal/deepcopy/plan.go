// Package deepcopy copies a value with all that it refers to into one chunk, by a plan that is
// made once for each type.
package deepcopy

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// The plan of a type: where its values refer to others.
//
// Invariant: a plan has every string, slice and pointer of the type; a type with others that
// refer to memory has none. A plan does not change once For returned it.
//
// Cost: one walk over a type that is new to the process, with a lock; then a look into a map.

// A Plan is where the values of a type refer to others. Any goroutine.
type Plan struct {
	size, align uintptr
	refs        []ref
	arrays      []array
}

// The kinds of references.
const (
	toOne  = iota // a pointer, a Ref
	toMany        // a slice, a Vec: the address, the length, the capacity
	toText        // a string, a Text: the address, the length
)

// A ref is a field that refers to others.
type ref struct {
	off  uintptr
	kind uint8
	elem *Plan
	name string // "order.lines"
}

// An array is a field with elements that refer to others.
type array struct {
	off uintptr
	n   int
	of  *Plan
}

// A Refusal is why a type has no plan.
type Refusal string

// Error returns the text.
func (r Refusal) Error() string { return string(r) }

// Stands tells what a type without Go pointers refers to: a string, a pointer or a slice type, which
// has the same words; nil for itself. The root package sets it.
var Stands = func(reflect.Type) reflect.Type { return nil }

var plans struct {
	sync.Map // reflect.Type -> *Plan or Refusal; what lookups find
	mu       sync.Mutex
}

// For returns the plan of a type. The error is a Refusal, which names the field. Any goroutine.
func For(t reflect.Type) (*Plan, error) {
	found, ok := plans.Load(t)
	if !ok {
		found = decide(t)
	}
	if p, ok := found.(*Plan); ok {
		return p, nil
	}
	return nil, found.(Refusal)
}

func decide(t reflect.Type) any {
	plans.mu.Lock()
	defer plans.mu.Unlock()
	m := maker{}
	p, err := m.plan(t, t.String())
	var found any = p
	if err != nil {
		found = err.(Refusal)
	}
	for _, p := range m {
		p.arrays = slices.DeleteFunc(p.arrays, func(a array) bool { return !a.of.Refers() })
	}
	found, _ = plans.LoadOrStore(t, found)
	return found
}

// A maker has the plans of the types on the way, by which a type may refer to itself.
type maker map[reflect.Type]*Plan

func (m maker) plan(t reflect.Type, name string) (*Plan, error) {
	if p := m[t]; p != nil {
		return p, nil
	}
	p := &Plan{size: t.Size(), align: uintptr(t.Align())}
	m[t] = p
	return p, m.add(p, t, 0, name)
}

// add adds what a value of the type at an offset refers to.
func (m maker) add(p *Plan, t reflect.Type, off uintptr, name string) error {
	as := t
	if stands := Stands(t); stands != nil {
		as = stands
	}
	switch as.Kind() {
	case reflect.String:
		p.refs = append(p.refs, ref{off, toText, text, name})
	case reflect.Pointer:
		return m.refer(p, ref{off: off, kind: toOne, name: name}, as.Elem(), name)
	case reflect.Slice:
		return m.refer(p, ref{off: off, kind: toMany, name: name}, as.Elem(), name+"[]")
	case reflect.Struct:
		for i := range as.NumField() {
			f := as.Field(i)
			if err := m.add(p, f.Type, off+f.Offset, name+"."+f.Name); err != nil {
				return err
			}
		}
	case reflect.Array:
		if as.Len() == 0 {
			return nil
		}
		of, err := m.plan(as.Elem(), name+"[]")
		p.arrays = append(p.arrays, array{off, as.Len(), of})
		return err
	case reflect.Map, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		return Refusal(fmt.Sprintf("%s (%v) cannot be copied: a %v does not tell what it refers to, or lies on Go's heap; "+
			"keep it in a Go value, and its index here", name, t, t.Kind()))
	}
	return nil
}

// refer adds a reference to values of a type.
func (m maker) refer(p *Plan, r ref, to reflect.Type, name string) (err error) {
	r.elem, err = m.plan(to, name)
	p.refs = append(p.refs, r)
	return err
}

// text is the plan of a byte of a string.
var text = &Plan{size: 1, align: 1}

// Refers reports whether values of the type refer to others.
func (p *Plan) Refers() bool {
	return len(p.refs) != 0 || slices.ContainsFunc(p.arrays, func(a array) bool { return a.of.Refers() })
}
