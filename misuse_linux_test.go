package palloc_test

import (
	"syscall"
	"testing"
	"unsafe"
)

// Memory that another part of the program mapped itself.
func TestAForeignMappingIsRefused(t *testing.T) {
	mc := newRoot(t)
	mc.Alloc(8)
	foreign, err := syscall.Mmap(-1, 0, 1<<16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(foreign)
	for _, at := range []int{0, 8, 9, 4096, len(foreign) - 8} {
		wantRefusal(t, unsafe.Pointer(&foreign[at]), "", "belongs to no context")
	}
	wantOrder(t, mc)
}
