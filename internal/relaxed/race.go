//go:build race

package relaxed

import "sync/atomic"

// Store sets the owner's word.
func Store(p *uintptr, v uintptr) { atomic.StoreUintptr(p, v) }

// Store32 sets the owner's 32-bit word.
func Store32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

// Store64 sets the owner's 64-bit word.
func Store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// StoreRelease32 sets a 32-bit word after all earlier writes of this goroutine: a
// goroutine that loads v sees them, too.
func StoreRelease32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

// Inc adds one to the owner's 32-bit word.
func Inc(p *uint32) { atomic.AddUint32(p, 1) }

// Dec subtracts one from the owner's 32-bit word.
func Dec(p *uint32) { atomic.AddUint32(p, ^uint32(0)) }

// PlainStores reports whether Store is a plain move.
const PlainStores = false

// Clear sets the owner's words to zero.
func Clear(words *[Words]uint64) {
	for i := range words {
		atomic.StoreUint64(&words[i], 0)
	}
}

// Peek returns a word that another goroutine may be writing, for hot paths: an atomic
// load here, so that the race detector does not report it.
func Peek(p *uintptr) uintptr { return atomic.LoadUintptr(p) }

// Peek64 works as Peek does.
func Peek64(p *uint64) uint64 { return atomic.LoadUint64(p) }
