//go:build !race

package relaxed

// Store writes the owner's word.
func Store(p *uintptr, v uintptr) { *p = v }

// Store32 writes the owner's 32-bit word.
func Store32(p *uint32, v uint32) { *p = v }

// Store64 writes the owner's 64-bit word.
func Store64(p *uint64, v uint64) { *p = v }

// StoreRelease32 writes a word behind all that was written before it.
func StoreRelease32(p *uint32, v uint32) { release32(p, v) }

// Inc adds one to the owner's 32-bit word.
func Inc(p *uint32) { *p++ }

// Dec takes one from the owner's 32-bit word.
func Dec(p *uint32) { *p-- }

// PlainStores says that a store is a plain move. A hot path that asks writes it out: where
// nothing is left of an unfolded call, the compiler marks its place with a no-op.
const PlainStores = true

// HotCounters says whether hot paths count. Where they do not, who wants to know looks at
// what was to be counted: that costs the hot path nothing, but is a race by the
// detector's rules.
const HotCounters = false

// Clear sets the owner's words to zero.
func Clear(words *[Words]uint64) { *words = [Words]uint64{} }

// Peek is Load for a hot path: a plain one, which may be old.
func Peek(p *uintptr) uintptr { return *p }
