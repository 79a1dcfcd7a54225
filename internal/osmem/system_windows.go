package osmem

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// system is the maker of Windows: VirtualAlloc in its two steps.
type system struct{}

func (system) Name() string       { return "VirtualAlloc" }
func (system) DiscardFrees() bool { return true }

func (system) RegionSize() uintptr { return systemRegion }

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

// Zeroes: what DiscardVirtualMemory and MEM_RESET leave is undefined.
func (system) DiscardZeroes() bool { return false }

var discardVirtualMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("DiscardVirtualMemory")

// Discard drops the pages and leaves them committed. To decommit them and commit
// them anew would leave them zero, but the system may refuse the second, and a look
// at a stale address would then fault. Windows before 8.1 has no
// DiscardVirtualMemory, and some later ones refuse it at times: MEM_RESET says that
// the content is not wanted, and to unlock pages that are not locked takes them out
// of the working set.
func (system) Discard(addr, size uintptr) error {
	if discardVirtualMemory.Find() == nil {
		if code, _, _ := discardVirtualMemory.Call(addr, size); code == 0 {
			return nil
		}
	}
	if _, err := windows.VirtualAlloc(addr, size, windows.MEM_RESET, windows.PAGE_READWRITE); err != nil {
		return err
	}
	_ = windows.VirtualUnlock(addr, size) // answers that they were not locked
	return nil
}
