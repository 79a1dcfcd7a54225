package checked

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
)

// The types of values in checked chunks, and where these have pointers.
//
// Invariant: a type keeps its number. Fields of a type for which Exempt reports true have no
// pointers here.
//
// Cost: a walk over a type that is new; a look into a map for each chunk of a type with pointers.

// maxFields is the number of pointers of one value that are looked at.
const maxFields = 1 << 12

// maxLayouts is the number of types that are known; chunks of others are not looked at.
const maxLayouts = 1 << 16

// A field is a word of a value that holds a pointer.
type field struct {
	off   uintptr
	name  string // "node.next"
	sized bool   // the next word is the length: nothing is there when that is 0
	iface bool   // the word of an interface that holds its data
}

// layout is where the values of a type have pointers.
type layout struct {
	first  bool // only the first value of a chunk is one of the type
	size   uintptr
	name   string
	fields []field
}

var layouts struct {
	sync.RWMutex
	numbers map[content]uint16
	all     []*layout // the first is none
}

// content is what is in a chunk: values of a type, or one and what it refers to.
type content struct {
	of    reflect.Type
	first bool
}

// Exempt reports whether the program promised where the pointers of a type lead. The root package
// sets it.
var Exempt = func(reflect.Type) bool { return false }

// Expect notes that the next chunk of a checked context holds values of a type. Owner only.
func Expect(c *kind.Core, t reflect.Type) { expect(c, content{t, false}) }

// ExpectFirst works as Expect does for a chunk that begins with one value of the type. Owner only.
func ExpectFirst(c *kind.Core, t reflect.Type) { expect(c, content{t, true}) }

func expect(c *kind.Core, t content) {
	if s := stateOf(c); s.has(Types) && !s.shared { // another goroutine could allocate in between
		s.nextType = numberOf(t)
	}
}

func numberOf(t content) uint16 {
	layouts.RLock()
	n, ok := layouts.numbers[t]
	layouts.RUnlock()
	if ok {
		return n
	}
	l := &layout{first: t.first, size: t.of.Size(), name: t.of.String()}
	l.walk(t.of, 0, l.name)
	layouts.Lock()
	defer layouts.Unlock()
	if layouts.numbers == nil {
		layouts.numbers, layouts.all = map[content]uint16{}, []*layout{nil}
	}
	if n, ok = layouts.numbers[t]; !ok && len(l.fields) > 0 && len(layouts.all) < maxLayouts {
		n = uint16(len(layouts.all))
		layouts.all = append(layouts.all, l)
	}
	layouts.numbers[t] = n
	return n
}

// layoutOf returns the layout with a number, nil for 0.
func layoutOf(n uint16) *layout {
	if n == 0 {
		return nil
	}
	layouts.RLock()
	defer layouts.RUnlock()
	return layouts.all[n]
}

const wordSize = unsafe.Sizeof(uintptr(0))

// walk adds the pointers of a value of a type at an offset.
func (l *layout) walk(t reflect.Type, off uintptr, name string) {
	if len(l.fields) >= maxFields || Exempt(t) {
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.UnsafePointer:
		l.fields = append(l.fields, field{off: off, name: name})
	case reflect.String, reflect.Slice:
		l.fields = append(l.fields, field{off: off, name: name, sized: true})
	case reflect.Interface:
		l.fields = append(l.fields, field{off: off + wordSize, name: name, iface: true})
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			l.walk(f.Type, off+f.Offset, name+"."+f.Name)
		}
	case reflect.Array:
		for i := range t.Len() {
			if len(l.fields) >= maxFields {
				return
			}
			l.walk(t.Elem(), off+uintptr(i)*t.Elem().Size(), name+"["+strconv.Itoa(i)+"]")
		}
	}
}

// checkPointers reports the pointers in the context's chunks that lead where they must not.
func (s *state) checkPointers(report func(kind.Flaw)) {
	if !s.has(Types) {
		return
	}
	for _, b := range s.blocks {
		for i := range b.records {
			r := &b.records[i]
			if l := layoutOf(r.typ); l != nil && r.state == inUse {
				b.checkValues(i, l, report)
			}
		}
	}
}

// checkValues looks at the values in one chunk.
func (b *chunks) checkValues(i int, l *layout, report func(kind.Flaw)) {
	p, n := b.at(i), b.sizeOf(i)/l.size
	if l.first {
		n = min(n, 1)
	}
	for k := range n {
		for _, f := range l.fields {
			at := p + k*l.size + f.off
			to := *pointerAt(at)
			if to == 0 || f.sized && *pointerAt(at + wordSize) == 0 {
				continue
			}
			wrong := destination(b.core, to)
			if wrong == "" {
				continue
			}
			name := f.name
			if n > 1 {
				name = fmt.Sprintf("[%d] of %s", k, name)
			}
			x := b.finding(WrongPointer, i, fmt.Sprintf("%s in %s leads to %s (%#x)", name, b.describe(i), wrong, to))
			x.From, x.Bytes = at, wordSize
			report(kind.Flaw{Block: b.base, Chunk: p, Reason: x.Text, Found: x})
		}
	}
}

// pointerAt returns the word at an address in a live chunk.
func pointerAt(addr uintptr) *uintptr { return (*uintptr)(unsafe.Pointer(word(addr))) } // as word, of the size of a pointer
