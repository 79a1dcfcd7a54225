//go:build !linux

package palloc_test

import "unsafe"

// The fault matrix: where the test maps no memory itself.

func needsMapping(*cell) string { return "this test maps memory on Linux only" }

func foreignMapping(*cell) unsafe.Pointer { return nil }
