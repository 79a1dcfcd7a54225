package deepcopy

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The copy: one walk measures, and one copies into a chunk of that size.
//
// Invariant: what is written lies within the chunk, also when the value changes between the two
// walks. The copy refers only to the chunk, and where there is nothing to refer to, to static data.
//
// Cost: two steps for each string, slice and pointer, and a copy of each byte. Depth takes stack.

// maxDepth is how many references may follow each other: more are taken for a cycle.
const maxDepth = 10_000

// errChanged is the error of a value that is not the one that was measured.
const errChanged = Refusal("the value was changed while it was copied: by another goroutine, or a callback of OnPressure")

const word = unsafe.Sizeof(uintptr(0))

// nothing is what empty slices, and pointers to values without a size, refer to.
var nothing byte

// A layout is how far a chunk is filled.
type layout struct{ used, limit uintptr }

// take returns where the next n values of a plan lie in the chunk; false if there is no room.
func (l *layout) take(p *Plan, n uintptr) (off uintptr, ok bool) {
	off = (l.used + p.align - 1) &^ (p.align - 1)
	if off > l.limit || p.size != 0 && n > (l.limit-off)/p.size {
		return 0, false
	}
	l.used = off + n*p.size
	return off, true
}

// target returns what the reference in a value refers to, and how many values are there.
func (r *ref) target(value unsafe.Pointer) (to unsafe.Pointer, n uintptr) {
	field := unsafe.Add(value, r.off)
	to = *(*unsafe.Pointer)(field) // a pointer, or an address in a context
	switch {
	case to == nil:
		return nil, 0
	case r.kind == toOne:
		return to, 1
	}
	return to, *(*uintptr)(unsafe.Add(field, word)) // the second word is the length
}

// Measure returns how many bytes the copy of a value takes with all that it refers to. The error is a
// Refusal. The value must not be changed meanwhile.
func (p *Plan) Measure(value unsafe.Pointer) (uintptr, error) {
	l := layout{used: p.size, limit: kind.MaxChunk}
	if err := l.measure(p, value, 0); err != "" {
		return 0, err
	}
	return l.used, nil
}

// measure adds what a value refers to.
func (l *layout) measure(p *Plan, value unsafe.Pointer, depth int) Refusal {
	for i := range p.refs {
		r := &p.refs[i]
		to, n := r.target(value)
		if n == 0 {
			continue
		}
		if depth == maxDepth {
			return Refusal(fmt.Sprintf("%s leads on over more than %d references: it is a cycle, or too long a list; "+
				"copy the elements of a list one by one", r.name, maxDepth))
		}
		if _, ok := l.take(r.elem, n); !ok {
			return Refusal(fmt.Sprintf("%s leads to more than the address space has: is it shared many times?", r.name))
		}
		if err := l.measureAll(r.elem, to, n, depth+1); err != "" {
			return err
		}
	}
	for i := range p.arrays {
		a := &p.arrays[i]
		if err := l.measureAll(a.of, unsafe.Add(value, a.off), uintptr(a.n), depth); err != "" {
			return err
		}
	}
	return ""
}

// measureAll adds what n values side by side refer to.
func (l *layout) measureAll(p *Plan, values unsafe.Pointer, n uintptr, depth int) Refusal {
	if !p.Refers() {
		return ""
	}
	for i := range n {
		if err := l.measure(p, unsafe.Add(values, i*p.size), depth); err != "" {
			return err
		}
	}
	return ""
}

// A copier copies into the chunk at base.
type copier struct {
	layout
	base uintptr
}

// Copy copies a value with all that it refers to into the size bytes at base, which lie in a context,
// and are as many as Measure returned. The error is a Refusal.
func (p *Plan) Copy(base, size uintptr, value unsafe.Pointer) error {
	c := copier{layout{p.size, size}, base}
	copyBytes(base, value, p.size)
	if !c.copy(p, base, value, 0) {
		return errChanged
	}
	return nil
}

// copyBytes copies bytes from Go's memory, or a context, into a context.
func copyBytes(to uintptr, from unsafe.Pointer, n uintptr) {
	copy(osmem.Bytes(to, n), unsafe.Slice((*byte)(from), n)) // so many bytes are there
}

// set writes a word into a context, without a write barrier: no word there is of Go's heap.
func set(at, to uintptr) { *(*uintptr)(osmem.At(at)) = to }

// copy makes the copy at an address, which has the bytes of the value, refer to copies. It reports
// whether there was room.
func (c *copier) copy(p *Plan, at uintptr, value unsafe.Pointer, depth int) bool {
	for i := range p.refs {
		r := &p.refs[i]
		to, n := r.target(value)
		dest := uintptr(0)
		if to != nil && r.kind != toText {
			dest = uintptr(unsafe.Pointer(&nothing)) // static
		}
		if n != 0 && r.elem.size != 0 {
			off, ok := c.take(r.elem, n)
			if !ok || depth > maxDepth {
				return false
			}
			dest = c.base + off
			copyBytes(dest, to, n*r.elem.size)
			if !c.copyAll(r.elem, dest, to, n, depth+1) {
				return false
			}
		}
		if set(at+r.off, dest); r.kind != toOne {
			set(at+r.off+word, n)
		}
		if r.kind == toMany {
			set(at+r.off+2*word, n) // the capacity
		}
	}
	for i := range p.arrays {
		a := &p.arrays[i]
		if !c.copyAll(a.of, at+a.off, unsafe.Add(value, a.off), uintptr(a.n), depth) {
			return false
		}
	}
	return true
}

// copyAll works as copy does, for n values side by side.
func (c *copier) copyAll(p *Plan, at uintptr, values unsafe.Pointer, n uintptr, depth int) bool {
	if !p.Refers() {
		return true
	}
	for i := range n {
		if !c.copy(p, at+i*p.size, unsafe.Add(values, i*p.size), depth) {
			return false
		}
	}
	return true
}
