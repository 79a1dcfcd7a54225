//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package osmem

import "golang.org/x/sys/unix"

// reserveFlags are further flags of mmap: none, since these systems charge nothing
// for pages without access.
const reserveFlags = 0

// Discard maps new pages over the old ones, which stay where the system refuses.
// MADV_FREE is lazy on these systems and leaves the pages in the resident size;
// MADV_DONTNEED is a hint.
func (system) Discard(addr, size uintptr) error {
	_, err := unix.MmapPtr(-1, 0, At(addr), size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	return err
}

func (system) Populates() bool             { return false }
func (system) Populate(addr, size uintptr) {}
