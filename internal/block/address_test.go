package block_test

import "unsafe"

// addressOf returns the address of a Go variable; the tests only compare the number.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
