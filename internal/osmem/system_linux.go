package osmem

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// reserveFlags are further flags of mmap: the system does not charge a reservation to
// its overcommit limit.
const reserveFlags = unix.MAP_NORESERVE

// Discard empties the pages at once; they read as zero afterwards. The lazy MADV_FREE
// would leave them in the resident size. Linux refuses locked pages (mlock, mlockall):
// the pages before them in the range may be empty then.
func (system) Discard(addr, size uintptr) error {
	return unix.Madvise(Bytes(addr, size), unix.MADV_DONTNEED)
}

// cannotPopulate: the kernel is older than Linux 5.14, or an emulation of one.
var cannotPopulate atomic.Bool

func (system) Populates() bool { return !cannotPopulate.Load() }

func (system) Populate(addr, size uintptr) {
	switch unix.Madvise(Bytes(addr, size), unix.MADV_POPULATE_WRITE) {
	case unix.EINVAL, unix.ENOSYS:
		cannotPopulate.Store(true)
	}
}
