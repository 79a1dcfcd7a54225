package shared

import "unsafe"

// spot returns a number in which goroutines differ, and which one keeps for a while:
// where its stack lies.
func spot() uint32 {
	var here byte
	const spread = 0x9e3779b1
	return uint32(uintptr(unsafe.Pointer(&here))>>11) * spread >> 16 // never followed
}
