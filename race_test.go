//go:build race

package palloc_test

// raceEnabled says whether the race detector watches: everything is then an order of
// magnitude slower, and the detector allocates where the program does not.
const raceEnabled = true
