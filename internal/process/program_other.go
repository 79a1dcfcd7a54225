//go:build !linux

package process

// The program's own pages, where nothing says which they are.

// LoadProgram does nothing: the first pass reads the program, too.
func LoadProgram() error { return nil }
