package osmem

import "unsafe"

// At is the one door from a number to a pointer. addr must lie in memory that a
// Source reserved and committed; such memory is never unmapped and never moves,
// so the number cannot go stale.
//
// It is exempt from checkptr, which takes the Go heap's twin for ordinary
// objects and would refuse every address that was kept as a number. The twin
// keeps its memory alive for ever, which is what makes the exemption sound.
//
//go:nocheckptr
func At(addr uintptr) unsafe.Pointer { return unsafe.Add(nil, addr) }

// Bytes is the size bytes that begin at addr.
//
//go:nocheckptr
func Bytes(addr, size uintptr) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(nil, addr)), size) // sound as At is
}
