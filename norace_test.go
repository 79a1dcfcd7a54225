//go:build !race

package palloc_test

// raceEnabled says whether the race detector watches.
const raceEnabled = false
