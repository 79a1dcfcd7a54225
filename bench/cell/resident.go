package cell

import (
	"errors"

	"github.com/gopalloc/palloc/internal/process"
)

// Resident memory of a cell, on Linux.
//
// Invariant: a figure that cannot be had is an error, never a guess. Cost: a
// collection, and a few small files of /proc.

// peak returns how many bytes more than at the mark have been resident since.
func peak(m process.Resident) (bytes float64, err error) {
	p := m.Peak()
	if p == nil {
		return 0, errors.New("cell: the system does not tell what is resident: run this cell on Linux")
	}
	return float64(*p), nil
}
