package palloc_test

import (
	"runtime"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: pointers in contexts to memory that does not live as long. A Go pointer in a uintptr or
// in bytes is out of reach: no type says that it is one. Go's vet finds the conversion.

// matrixLinked has a pointer that must lead into contexts.
type matrixLinked struct {
	palloc.NoHeapPointers
	p *[64]byte
}

// matrixPointer has a pointer of which that is not said.
type matrixPointer struct{ p *int }

// needsHeapWindow says why Go's heap cannot be told from other memory, "" if it can.
func needsHeapWindow(*cell) string {
	if unsafe.Sizeof(uintptr(0)) < 8 || runtime.GOARCH == "wasm" {
		return "Go's heap has no part of the address space of its own here"
	}
	return ""
}

var isWrong = []palloc.Mistake{palloc.WrongPointer}

var pointersTo = []misuse{
	{rows: "47", what: "New of a type with a Go pointer", kinds: "A", do: storeType,
		want: wanted{mistake: isMisuse, facts: "call", says: "NoHeapPointers", by: "types"}},
	{rows: "B37", what: "New of a type with a Go pointer", kinds: "ASGB", do: storeType,
		want: wanted{mistake: isMisuse, facts: "call", says: "NoHeapPointers", by: "types"}},
	{rows: "48", what: "Go pointer kept in a context", kinds: "A", then: "check", do: keepGoPointer, skip: needsHeapWindow,
		want: wanted{mistake: isWrong, facts: "chunk made", says: "leads to Go's heap", by: "types"}},
	{rows: "49", what: "pointer to a shorter-lived context", kinds: "A", then: "check", do: keepShorter,
		want: wanted{mistake: isWrong, facts: "chunk made", says: "matrixNode.next", by: "types"}},
}

func storeType(c *cell) {
	c.name = ""
	switch {
	case !c.right:
		c.call.do(func() { palloc.New[matrixPointer](c.mc) })
	case c.letter == 'S':
		palloc.New[[64]byte](c.mc)
	default:
		palloc.New[matrixLinked](c.mc)
	}
}

func keepGoPointer(c *cell) {
	l := at(&c.made, palloc.New[matrixLinked](c.mc))
	c.victim = ptr(l)
	if c.right {
		l.p = palloc.New[[64]byte](c.mc)
		return
	}
	object := new([64]byte)
	l.p = object
	c.after = append(c.after, func() { runtime.KeepAlive(object) })
}

func keepShorter(c *cell) {
	short := palloc.NewAllocSet(c.mc, "short")
	l := at(&c.made, palloc.New[matrixNode](c.mc))
	c.victim = ptr(l)
	if c.right {
		l.next = palloc.New[matrixNode](c.mc)
		palloc.New[matrixNode](short).next = l
	} else {
		l.next = palloc.New[matrixNode](short)
	}
}
