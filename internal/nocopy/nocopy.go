// Package nocopy lets go vet report copies of a value that must not be copied.
package nocopy

// A Mark is a field of such a value.
//
// Invariant: go vet takes what has the methods Lock and Unlock for a lock.
//
// Cost: no memory, unless it is the last field.
type Mark struct{}

// Lock is for go vet.
func (*Mark) Lock() {}

// Unlock is for go vet.
func (*Mark) Unlock() {}
