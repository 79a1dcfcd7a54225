//go:build race

package relaxed

import "sync/atomic"

// Store writes the owner's word.
func Store(p *uintptr, v uintptr) { atomic.StoreUintptr(p, v) }

// Store32 writes the owner's 32-bit word.
func Store32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

// Store64 writes the owner's 64-bit word.
func Store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// StoreRelease32 writes a word behind all that was written before it.
func StoreRelease32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

// Inc adds one to the owner's 32-bit word.
func Inc(p *uint32) { atomic.AddUint32(p, 1) }

// Dec takes one from the owner's 32-bit word.
func Dec(p *uint32) { atomic.AddUint32(p, ^uint32(0)) }

// PlainStores says that a store is a plain move.
const PlainStores = false

// HotCounters says whether hot paths count.
const HotCounters = true

// Clear sets the owner's words to zero.
func Clear(words *[Words]uint64) {
	for i := range words {
		atomic.StoreUint64(&words[i], 0)
	}
}

// Peek is Load for a hot path: a plain one, which may be old.
func Peek(p *uintptr) uintptr { return atomic.LoadUintptr(p) }
