package block

import "github.com/gopalloc/palloc/internal/osmem"

// KnownZero reports whether the content of the block that begins at addr was all zero when
// it was bought: nothing in it was written to since the system gave it, or since the
// system took it back and leaves zeros then. What the owner wrote since, and who owns
// it, is not looked at. false says nothing.
//
// Cost: the lock, and a step for each level.
func KnownZero(addr uintptr) bool {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	r, l, ok := begun(addr)
	if !ok {
		return false
	}
	off := addr - r.base
	p, u := r.pageOf(l, off)
	return p.dirty&mask(u, p.length(u)) == 0 && (off >= r.touched || osmem.Current().DiscardZeroes())
}
