//go:build !unix

package process

// Resident memory where the system is not asked.

// Resident is a mark without a figure.
type Resident struct{}

// MarkResident does nothing.
func MarkResident() Resident { return Resident{} }

// ResidentBytes returns false: the figure is not known.
func ResidentBytes() (int64, bool) { return 0, false }

// Peak returns nil: the figure is not known.
func (Resident) Peak() *int64 { return nil }
