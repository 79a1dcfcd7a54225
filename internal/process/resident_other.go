//go:build !unix

package process

// Resident memory where the system is not asked.

// Resident is a mark without a figure.
type Resident struct{}

// MarkResident does nothing.
func MarkResident() Resident { return Resident{} }

// Peak returns nil: the figure is not known.
func (Resident) Peak() *int64 { return nil }
