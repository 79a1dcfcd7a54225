package cell

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// The program's own pages. PostgreSQL's backend has run its allocator before a
// cell begins, so that the code of it is in memory; a fresh process has not.
//
// Invariant: nothing but this program's file is read. Cost: a load for each page.

// loadProgram makes the program's code and constants resident, so that neither
// the first pass nor its resident memory is charged for reading them.
func loadProgram() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cell: cannot find the own program: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("cell: the own mappings are not told: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var access string
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			return fmt.Errorf("cell: /proc/self/maps has the line %q: %w", line, err)
		}
		if strings.HasSuffix(line, self) && access[0] == 'r' {
			readPages(from, to)
		}
	}
	return nil
}
