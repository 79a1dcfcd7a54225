//go:build !race

package relaxed

import (
	"math/bits"
	"sync/atomic"
)

// Store sets the owner's word.
func Store(p *uintptr, v uintptr) { *p = v }

// Store32 sets the owner's 32-bit word.
func Store32(p *uint32, v uint32) { *p = v }

// Store64 sets the owner's 64-bit word. Where words have 32 bits a plain store is two, and
// readers could see one of them.
func Store64(p *uint64, v uint64) {
	if bits.UintSize == 32 {
		atomic.StoreUint64(p, v)
		return
	}
	*p = v
}

// StoreRelease32 sets a 32-bit word after all earlier writes of this goroutine: a
// goroutine that loads v sees them, too.
func StoreRelease32(p *uint32, v uint32) { storeRelease32(p, v) }

// Inc adds one to the owner's 32-bit word.
func Inc(p *uint32) { *p++ }

// Dec subtracts one from the owner's 32-bit word.
func Dec(p *uint32) { *p-- }

// PlainStores reports whether Store is a plain move. If so, the hottest paths write
// the assignment instead of the call: the compiler leaves a no-op where it inlined a
// call of which no instruction is left.
const PlainStores = true

// Clear sets the owner's words to zero.
func Clear(words *[Words]uint64) { *words = [Words]uint64{} }

// Peek returns a word that another goroutine may be writing, for hot paths: a plain
// load, whose value may be old.
func Peek(p *uintptr) uintptr { return *p }

// Peek64 works as Peek does. Where words have 32 bits it reads the halves one by one.
func Peek64(p *uint64) uint64 { return *p }
