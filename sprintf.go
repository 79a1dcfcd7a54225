package palloc

import (
	"fmt"
	"sync"
)

// Formatted strings in a context.
//
// Invariant: a string has a chunk of its own, as large as it needs.
//
// Cost: that of fmt, and one copy, out of the room that fmt formats in and keeps.
// No Go garbage but what the arguments make.

// Sprintf formats as fmt.Sprintf does, into a string in the context. The result is
// void when the context is reset or deleted; FreeString takes it back before. The
// empty string takes no memory. It panics as CloneString does. The arguments'
// methods must not delete the context. Owner only.
//
// PostgreSQL: psprintf.
func Sprintf(mc Context, format string, args ...any) string {
	s, err := sprintf(mc, "Sprintf", format, args)
	if err != nil {
		panic(err)
	}
	return s
}

// TrySprintf is Sprintf, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL has none.
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

// formatter makes the one Write in which fmt hands over what it formatted a string
// in a context.
type formatter struct {
	mc   Context
	op   string
	text string
}

// formatters are idle: as fmt's own, they are pooled since an io.Writer escapes.
var formatters = sync.Pool{New: func() any { return new(formatter) }}

func (f *formatter) Write(p []byte) (n int, err error) {
	f.text, err = cloneBytes(f.mc, f.op, p)
	return len(p), err
}
