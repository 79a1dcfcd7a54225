//go:build race

package palloc_test

// raced says whether the race detector watches: everything is then an order of
// magnitude slower, and the detector allocates where the program does not.
const raced = true
