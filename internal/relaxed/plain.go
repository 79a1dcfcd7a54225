//go:build !race

package relaxed

// Store writes the owner's word.
func Store(p *uintptr, v uintptr) { *p = v }

// Store32 writes the owner's 32-bit word.
func Store32(p *uint32, v uint32) { *p = v }

// Store64 writes the owner's 64-bit word.
func Store64(p *uint64, v uint64) { *p = v }

// Inc adds one to the owner's 32-bit word.
func Inc(p *uint32) { *p++ }

// Dec takes one from the owner's 32-bit word.
func Dec(p *uint32) { *p-- }

// Clear sets the owner's 32-bit words to zero.
func Clear(words []uint32) { clear(words) }
