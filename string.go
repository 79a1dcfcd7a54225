package palloc

import (
	"fmt"
	"sync"
	"unsafe"
)

// Strings in a context: copies and formatted ones.
//
// Invariant: a string that is not empty has a chunk of its own, of the size that it needs.
//
// Cost: CloneString copies once. Sprintf costs what fmt does, and one copy from the buffer
// that fmt keeps; it makes no Go garbage beyond that of its arguments.

// CloneString copies a string into the context. The copy is invalid once the context is
// reset or deleted: do not keep it longer, for example as a key of a map or in an error.
// strings.Clone copies it to Go's heap. The empty string takes no memory. It panics as
// MakeSlice does. Owner only.
//
// PostgreSQL: MemoryContextStrdup, pstrdup.
func CloneString(mc Context, s string) string {
	return must(cloneString(mc, "CloneString", s))
}

// TryCloneString works as CloneString does, but returns the *OutOfMemoryError. Owner only.
func TryCloneString(mc Context, s string) (string, error) {
	return cloneString(mc, "TryCloneString", s)
}

func cloneString(mc Context, op, s string) (string, error) {
	return cloneBytes(mc, op, unsafe.Slice(unsafe.StringData(s), len(s))) // read only
}

// cloneBytes copies bytes to a string in the context; its error is an *OutOfMemoryError.
func cloneBytes(mc Context, op string, p []byte) (string, error) {
	b, err := clone(mc, op, p)
	if len(b) == 0 {
		return "", err
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), nil // nothing writes to b after this
}

// Sprintf formats as fmt.Sprintf does, and returns the string in the context. The string is
// invalid once the context is reset or deleted; FreeString frees it before. The empty
// string takes no memory. It panics as CloneString does. The arguments' methods must not
// delete the context. Owner only.
//
// PostgreSQL: psprintf.
func Sprintf(mc Context, format string, args ...any) string {
	return must(sprintf(mc, "Sprintf", format, args))
}

// TrySprintf works as Sprintf does, but returns the *OutOfMemoryError. Owner only.
func TrySprintf(mc Context, format string, args ...any) (string, error) {
	return sprintf(mc, "TrySprintf", format, args)
}

func sprintf(mc Context, op, format string, args []any) (string, error) {
	mc.check(op)
	f := formatters.Get().(*formatter)
	f.mc, f.op = mc, op
	_, err := fmt.Fprintf(f, format, args...)
	s := f.text
	*f = formatter{}
	formatters.Put(f)
	return s, err
}

// A formatter is the io.Writer for fmt, which calls Write once: Write copies the bytes to a
// string in the context.
type formatter struct {
	mc   Context
	op   string
	text string
}

// formatters pools the formatters not in use, as fmt pools its own, since an io.Writer
// escapes.
var formatters = sync.Pool{New: func() any { return new(formatter) }}

func (f *formatter) Write(p []byte) (n int, err error) {
	f.text, err = cloneBytes(f.mc, f.op, p)
	return len(p), err
}

// FreeString frees the chunk of a string that CloneString or Sprintf returned. The empty
// string has no chunk, and FreeString does nothing. It panics as FreeSlice does. Owner only.
//
// PostgreSQL: pfree.
func FreeString(s string) {
	if len(s) != 0 {
		FreePointer(unsafe.Pointer(unsafe.StringData(s)))
	}
}
