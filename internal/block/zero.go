package block

import "github.com/gopalloc/palloc/internal/osmem"

// KnownZero reports whether the block that begins at addr is known to have been all
// zero when it was acquired: nothing was written to it since the system gave the
// memory, or since the system took it back, if it leaves zeros then. What the owner
// has written since is not considered. If KnownZero returns false, the block may have
// been zero all the same.
//
// Cost: the lock, and a step for each level.
func KnownZero(addr uintptr) bool {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	r, l, ok := blockAt(addr)
	if !ok {
		return false
	}
	off := addr - r.base
	p, u := r.pageOf(l, off)
	return p.dirty&mask(u, p.length(u)) == 0 && (off >= r.touched || osmem.Current().DiscardZeroes())
}
