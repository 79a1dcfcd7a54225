//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package osmem

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// system is the source of the unix family, Android and iOS included: private
// anonymous mappings, reserved without access and made accessible by mprotect.
type system struct{}

func init() {
	if !goHeapOnly {
		current = system{}
	}
}

func (system) Name() string        { return "mmap" }
func (system) RegionSize() uintptr { return systemRegion }
func (system) DiscardFrees() bool  { return true }
func (system) DiscardZeroes() bool { return true } // Discard leaves anonymous pages that were never touched

func (system) Reserve(size uintptr) (uintptr, error) {
	p, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|reserveFlags)
	if err != nil {
		return 0, fmt.Errorf("%w: mmap of %d bytes: %w", ErrNoMemory, size, err)
	}
	return uintptr(p), nil // outside Go's heap: nothing moves it, nothing frees it
}

func (system) Release(addr, size uintptr) {
	_ = unix.MunmapPtr(At(addr), size) // on an error the addresses stay reserved
}

func (system) Commit(addr, size uintptr) error {
	if err := unix.Mprotect(Bytes(addr, size), unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return fmt.Errorf("%w: mprotect of %d bytes: %w", ErrNoMemory, size, err)
	}
	return nil
}

func (system) Protects() bool { return true }

// Protect maps the range anew, without access, which empties it as well.
func (system) Protect(addr, size uintptr) error {
	_, err := unix.MmapPtr(-1, 0, At(addr), size, unix.PROT_NONE, unix.MAP_FIXED|unix.MAP_PRIVATE|unix.MAP_ANON|reserveFlags)
	return err
}
