package block_test

import "unsafe"

// addressOf is where a Go variable lies; the tests only compare the number.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
