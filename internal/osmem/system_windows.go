package osmem

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// system is the maker of Windows: VirtualAlloc in its two steps.
type system struct{}

func (system) Name() string  { return "VirtualAlloc" }
func (system) Returns() bool { return true }

func (system) Region() uintptr { return systemRegion }

func (system) Reserve(size uintptr) (uintptr, error) {
	addr, err := windows.VirtualAlloc(0, size, windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return 0, fmt.Errorf("%w: VirtualAlloc of %d bytes: %w", ErrNoMemory, size, err)
	}
	return addr, nil
}

func (system) Release(addr, size uintptr) {
	_ = windows.VirtualFree(addr, 0, windows.MEM_RELEASE) // refused: the addresses stay taken
}

func (system) Commit(addr, size uintptr) error {
	if _, err := windows.VirtualAlloc(addr, size, windows.MEM_COMMIT, windows.PAGE_READWRITE); err != nil {
		return fmt.Errorf("%w: commit of %d bytes: %w", ErrNoMemory, size, err)
	}
	return nil
}

// Discard returns the pages and commits them anew, empty: the physical memory is
// free at once, and a look at a stale address still finds zeros, not a fault.
func (s system) Discard(addr, size uintptr) {
	if windows.VirtualFree(addr, size, windows.MEM_DECOMMIT) != nil {
		return // refused: the memory stays resident, and usable
	}
	if err := s.Commit(addr, size); err != nil {
		panic("palloc: Windows took committed pages and would not give them back: " + err.Error())
	}
}
