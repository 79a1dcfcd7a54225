//go:build race

package palloc_test

// raced reports whether the race detector is on: all code is then an order of magnitude
// slower, and the detector allocates where the program does not.
const raced = true
