package palloc

import (
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/tree"
)

// Giving memory back to the operating system on demand.
//
// Invariant: what live contexts hold is not touched.
//
// Cost: a step for each context that there was at the most and each page of the warehouse,
// and a system call for each run of memory that is given back. The warehouse's lock is let
// go between them and during each call: nobody waits for a Trim.

// Trim gives the memory that no context holds back to the operating system, and
// answers how many bytes that were. Blocks that deleted contexts left for the
// next ones are among it; what live contexts hold is not, nor what the system refuses
// to take. What is given back meanwhile may stay. Any goroutine.
func Trim() int64 {
	tree.ReleaseKeepers()
	return int64(block.Trim())
}
