//go:build !race

package palloc_test

// raced reports whether the race detector is on.
const raced = false
