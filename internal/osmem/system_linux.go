package osmem

import "golang.org/x/sys/unix"

// reserveFlags keeps a reservation out of the system's overcommit account.
const reserveFlags = unix.MAP_NORESERVE

// Discard empties the pages at once; they read as zero afterwards. The lazy
// MADV_FREE would leave them in the resident size. Linux refuses pages that are
// locked (mlock, mlockall): those before them in the range may be empty then.
func (system) Discard(addr, size uintptr) error {
	return unix.Madvise(Bytes(addr, size), unix.MADV_DONTNEED)
}
