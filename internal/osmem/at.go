package osmem

import "unsafe"

// At returns the pointer to an address. It is the only conversion from a number to a
// pointer. addr must lie in memory that a Source reserved and committed; such memory
// is never unmapped and never moves, so that the number cannot go stale.
//
// It is exempt from checkptr, which takes the memory of GoHeap for ordinary objects
// and would refuse every address that was kept as a number. GoHeap keeps its memory
// alive for ever, which makes the exemption sound.
//
//go:nocheckptr
func At(addr uintptr) unsafe.Pointer { return unsafe.Add(nil, addr) }

// Bytes returns the size bytes that begin at addr, which must be as At requires.
//
//go:nocheckptr
func Bytes(addr, size uintptr) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(nil, addr)), size) // sound as At is
}
