//go:build !linux

package cell

// The program's own pages, where nothing says which they are.

// loadProgram does nothing: the first pass reads the program, too.
func loadProgram() error { return nil }
