package process

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// The program's own pages. A server has run its allocator before a measurement begins,
// so that the code of it is in memory; a new process has not.
//
// Invariant: nothing but this program's file is read. Cost: a load for each page.

// LoadProgram makes the program's code and constants resident, so that no measurement
// is charged for reading them.
func LoadProgram() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("process: cannot find the own program: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("process: the own mappings are not told: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var access string
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			return fmt.Errorf("process: /proc/self/maps has the line %q: %w", line, err)
		}
		if strings.HasSuffix(line, self) && access[0] == 'r' {
			readPages(from, to)
		}
	}
	return nil
}

// readPages reads a byte of every page from one address of a mapping to its end.
//
//go:nocheckptr
func readPages(from, to uintptr) {
	for ; from < to; from += 4096 {
		lastRead += *(*byte)(unsafe.Add(nil, from)) // a mapping that is never unmapped
	}
}

// lastRead keeps the compiler from leaving out the loads.
var lastRead byte
