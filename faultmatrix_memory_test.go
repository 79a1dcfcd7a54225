package palloc_test

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/osmem"
)

// The fault matrix: what memory there is.

// ptr returns the address of a value in a context.
func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// protects reports whether memory can be made inaccessible.
func protects() bool { return osmem.Current().Protects() }
