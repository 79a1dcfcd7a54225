package osmem

import "golang.org/x/sys/unix"

// reserveFlags are further flags of mmap: the system does not charge a reservation to
// its overcommit limit.
const reserveFlags = unix.MAP_NORESERVE

// Discard empties the pages at once; they read as zero afterwards. The lazy MADV_FREE
// would leave them in the resident size. Linux refuses locked pages (mlock, mlockall):
// the pages before them in the range may be empty then.
func (system) Discard(addr, size uintptr) error {
	return unix.Madvise(Bytes(addr, size), unix.MADV_DONTNEED)
}
