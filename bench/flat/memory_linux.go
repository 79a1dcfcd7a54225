package flat

import (
	"os"

	"golang.org/x/sys/unix"
)

// Memory off Go's heap: what lies there neither sets the collector's pace nor is
// scanned.
//
// Invariant: it is resident before it is used. Cost: a system call each.

// resident maps a file.
func resident(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	return mmap(int(f.Fd()), int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE, path)
}

// Memory returns size bytes of zeroed memory, which must not hold Go pointers.
// It is never given back.
func Memory(size int) ([]byte, error) {
	return mmap(-1, max(size, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, "memory")
}

func mmap(fd, size, prot, flags int, what string) ([]byte, error) {
	b, err := unix.Mmap(fd, 0, size, prot, flags|unix.MAP_POPULATE)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: what, Err: err}
	}
	return b, nil
}

func discard(memory []byte) error {
	if memory == nil {
		return nil
	}
	return unix.Munmap(memory)
}
