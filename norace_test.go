//go:build !race

package palloc_test

// raced says whether the race detector watches.
const raced = false
