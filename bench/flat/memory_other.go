//go:build !linux

package flat

import (
	"io"
	"os"
	"unsafe"
)

// Memory where nothing is mapped: Go's heap, in objects without pointers, which
// the collector counts but does not scan.
//
// Invariant: it begins on a multiple of 8. Cost: a copy of the file.

// resident reads a file.
func resident(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, _ := Memory(int(info.Size()))
	_, err = io.ReadFull(f, b)
	return b, err
}

// Memory returns size bytes of zeroed memory, which must not hold Go pointers.
// Here the error is always nil.
func Memory(size int) ([]byte, error) {
	words := make([]uint64, (max(size, 1)+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size), nil
}

func discard([]byte) error { return nil }
