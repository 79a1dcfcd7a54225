package backend

import (
	"runtime/debug"
	"slices"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/process"
	"github.com/gopalloc/palloc/trace"
)

// The timing of replays. The first pass of a process over a trace is cold: the
// allocator has never held the memory. Others are warm.
//
// Invariant: Begin and End are outside of the clock. Cost: two readings of the clock
// a pass.

// Prepare makes the process ready for a cold pass, and for a mark of resident memory:
// the back end's tables are resident, as is the program's code; palloc and Go's heap
// have no free memory.
// It fails when Linux does not tell where the program is.
func Prepare(t *trace.Trace, b trace.Backend) error {
	if err := process.LoadProgram(); err != nil {
		return err
	}
	b.Begin(t)
	b.End()
	GiveBack()
	process.QuietSysmon()
	return nil
}

// GiveBack returns the free memory of palloc and of Go's heap to the system, after a
// collection.
func GiveBack() {
	palloc.Trim()
	debug.FreeOSMemory()
}

// Pass replays the whole trace once and returns the processor time that the process
// spent on it, the collector's share included.
func Pass(t *trace.Trace, b trace.Backend) time.Duration {
	b.Begin(t)
	defer b.End()
	start := process.CPUTime()
	b.Play(t.Ops())
	return process.CPUTime() - start
}

// Warm replays the trace at least least times, until that has taken enough time, and
// returns the median of Pass, and how many passes there were.
func Warm(t *trace.Trace, b trace.Backend, least int, enough time.Duration) (median time.Duration, passes int) {
	var spent []time.Duration
	for start := time.Now(); passes < least || time.Since(start) < enough; passes++ {
		spent = append(spent, Pass(t, b))
	}
	slices.Sort(spent)
	return (spent[(passes-1)/2] + spent[passes/2]) / 2, passes
}
