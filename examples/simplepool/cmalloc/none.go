//go:build !cgo

// Package cmalloc runs C's malloc and free in loops. This build has no cgo, and so no malloc.
package cmalloc

// MaxChunks is the most chunks that a round has.
const MaxChunks = 1000

// Rounds does nothing, and reports false.
func Rounds(rounds, chunks, size int) bool { return false }
