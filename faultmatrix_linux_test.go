package palloc_test

import (
	"syscall"
	"unsafe"
)

// The fault matrix: memory that another part of the program mapped itself.

func needsMapping(*cell) string { return "" }

func foreignMapping(c *cell) unsafe.Pointer {
	b, err := syscall.Mmap(-1, 0, 1<<16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	c.after = append(c.after, func() { syscall.Munmap(b) })
	return unsafe.Pointer(&b[64])
}
