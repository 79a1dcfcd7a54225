package cell

import "time"

// How much each workload does.
//
// Invariant: the figures are the README's; only tests lower them. Cost: none.

type amounts struct {
	rounds     int           // of cached: a hundred chunks and a reset
	chunks     int           // of a pass of million
	steps      int           // of pair, churn and queue
	calls      int           // of call
	buffers    int           // of grow
	depth      int           // of trees
	replay     time.Duration // of all passes of trace but the first
	goroutines int           // of goroutines
	nodes      int           // of graph
	window     time.Duration // of graph
}

var scale = amounts{
	rounds:     200_000,
	chunks:     1_000_000,
	steps:      20_000_000,
	calls:      1_000_000,
	buffers:    2_000,
	depth:      21,
	replay:     300 * time.Millisecond,
	goroutines: 10_000,
	nodes:      10_000_000,
	window:     6 * time.Second,
}

// What no test lowers.
const (
	perRound = 100   // chunks of a round of cached
	perCall  = 10    // chunks of a call
	slots    = 10000 // of churn
	ring     = 4096  // of queue
	firstBuf = 1 << 10
	lastBuf  = 1 << 20
)
