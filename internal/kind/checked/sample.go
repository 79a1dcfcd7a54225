package checked

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// Guarded chunks of contexts that are not checked: of those that the hot paths do not allocate, one
// in many has pages of its own.
//
// Invariant: the node of a context with guarded chunks has the bit ResetElsewhere.
//
// Cost: nothing unless Sample was called; then an atomic addition where the hot paths end, and for
// a guarded chunk some system calls.

var (
	sampled   atomic.Int64 // chunks for each one that is guarded, 0 for none
	countdown atomic.Int64 // chunks until the next one
)

// NameOf returns the name of the context of a node. Package tree sets it. Owner only.
var NameOf func(c *kind.Core) string

// Sample makes Guarded guard one in n chunks, on average.
func Sample(n int64) {
	sampled.Store(n)
	countdown.Store(distance(n))
}

// distance returns a random number that is n on average, or what no process allocates.
func distance(n int64) int64 { return 1 + rand.Int64N(2*min(n, 1<<61)-1) }

// Guarded returns a guarded chunk of size bytes if it is the turn of one, else 0. Owner only.
func Guarded(c *kind.Core, t kind.Traits, size uintptr) uintptr {
	n := sampled.Load()
	if n == 0 || !t.Frees || t.OneSize || size > chunk.MaxSize || Is(c.Kind()) || c.Kind().IsConcurrent() {
		return 0
	}
	if countdown.Add(-1) > 0 {
		return 0
	}
	countdown.Store(distance(n))
	s := stateOf(c)
	s.name = NameOf(c) // the state may have been that of a former context
	s.shared, s.frees, s.fixed = false, true, 0
	s.set(Settings{Mode: RedZones | Poison | Quarantine | Stacks | Guard})
	p, err := s.alloc(c, size, chunk.Align, s.record(2))
	if err != nil {
		return 0 // the ordinary way may have memory
	}
	return p
}

// AddGuarded adds the guarded chunks of an ordinary context to its statistics. Any goroutine.
func AddGuarded(c *kind.Core, t *kind.Stats) {
	if s := peekState(c); s != nil && !Is(c.Kind()) && statsOf(c).Live {
		t.Live = true
	}
}

// held returns the bytes and the number of the blocks of a node that are not the page heap's.
func held(c *kind.Core) (bytes uintptr, blocks uint32) {
	s := peekState(c)
	if s == nil {
		return 0, 0
	}
	return s.held(), uint32(len(s.blocks))
}

func init() { kind.HeldElsewhere = held }
