package osmem

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// system is the source of Windows: VirtualAlloc, which reserves first and commits
// later.
type system struct{}

func init() {
	if !goHeapOnly {
		current = system{}
	}
}

func (system) Name() string        { return "VirtualAlloc" }
func (system) RegionSize() uintptr { return systemRegion }
func (system) DiscardFrees() bool  { return true }
func (system) DiscardZeroes() bool { return false } // undefined after DiscardVirtualMemory and MEM_RESET

func (system) Reserve(size uintptr) (uintptr, error) {
	addr, err := windows.VirtualAlloc(0, size, windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return 0, fmt.Errorf("%w: VirtualAlloc of %d bytes: %w", ErrNoMemory, size, err)
	}
	return addr, nil
}

func (system) Release(addr, size uintptr) {
	_ = windows.VirtualFree(addr, 0, windows.MEM_RELEASE) // on an error the addresses stay reserved
}

func (system) Commit(addr, size uintptr) error {
	if _, err := windows.VirtualAlloc(addr, size, windows.MEM_COMMIT, windows.PAGE_READWRITE); err != nil {
		return fmt.Errorf("%w: commit of %d bytes: %w", ErrNoMemory, size, err)
	}
	return nil
}

var discardVirtualMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("DiscardVirtualMemory")

// Discard drops the pages and leaves them committed. It does not decommit them and
// commit them again, which would leave them zero: the system may refuse the second
// step, and a read at a stale address would then fault. Windows before 8.1 has no
// DiscardVirtualMemory, and some later versions refuse it at times. Then MEM_RESET
// tells the system that the content is not needed, and VirtualUnlock, of pages that
// are not locked, takes them out of the working set.
func (system) Discard(addr, size uintptr) error {
	if discardVirtualMemory.Find() == nil {
		if code, _, _ := discardVirtualMemory.Call(addr, size); code == 0 {
			return nil
		}
	}
	if _, err := windows.VirtualAlloc(addr, size, windows.MEM_RESET, windows.PAGE_READWRITE); err != nil {
		return err
	}
	_ = windows.VirtualUnlock(addr, size) // always fails: they were not locked
	return nil
}

func (system) Populates() bool             { return false }
func (system) Populate(addr, size uintptr) {}

func (system) Protects() bool { return true }

// Protect decommits the pages.
func (system) Protect(addr, size uintptr) error {
	return windows.VirtualFree(addr, size, windows.MEM_DECOMMIT)
}
