// Command containers times palloc's containers beside those of Go's heap, at the same work, in rounds
// that take turns, and prints a table in Markdown. Times are CPU time of the process, so that
// what the collector takes counts; for caches, which several goroutines use, the time that passes.
//
//	go run ./bench/containers                 # all work, in the root
//	go run ./bench/containers -only 'btree'   # some of it
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/process"
)

// A side is one container at some work. prepare returns what is timed, and what is done after it.
type side struct {
	name    string
	prepare func() (run, end func())
}

// A work is something that all of its sides do, palloc's first.
type work struct {
	name  string
	ops   int // of one run
	sides []side
	wall  bool // the time that passes is what counts, since goroutines may wait
}

func main() {
	only := flag.String("only", "", "a regular expression: the work to do")
	rounds := flag.Int("rounds", 9, "rounds of each work")
	cpu := flag.Bool("cpu", false, "CPU time also for caches, where other programs use the machine")
	flag.Parse()
	which, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	fmt.Printf("`go run ./bench/containers -only '%s' -rounds %d -cpu=%v` printed this on %s, with %s on %s/%s.\n\n",
		*only, *rounds, *cpu, time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Println("| work | palloc, ns | peer | ns | palloc / it | spread |\n| --- | --- | --- | --- | --- | --- |")
	for _, w := range slices.Concat(trees(), sequences(), heaps(), caches()) {
		if which.MatchString(w.name) {
			w.wall = w.wall && !*cpu
			w.compare(*rounds)
		}
	}
}

// compare runs all sides in turns, and prints a line for each peer: the medians, and the median, the
// least and the greatest of the ratios of one round.
func (w work) compare(rounds int) {
	times := make([][]float64, len(w.sides))
	for range rounds {
		for i, s := range w.sides {
			times[i] = append(times[i], w.once(s))
		}
	}
	ours := times[0]
	for i, s := range w.sides[1:] {
		var ratios []float64
		for round, t := range times[i+1] {
			ratios = append(ratios, ours[round]/t)
		}
		slices.Sort(ratios)
		fmt.Printf("| %s | %.3g | %s | %.3g | %.2f | %.2f to %.2f |\n", w.name, median(ours), s.name, median(times[i+1]),
			ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
}

// once runs one side once, and returns the nanoseconds of an operation.
func (w work) once(s side) float64 {
	run, end := s.prepare()
	defer end()
	runtime.GC()
	clock := process.CPUTime
	if w.wall {
		start := time.Now()
		clock = func() time.Duration { return time.Since(start) }
	}
	begin := clock()
	run()
	return float64(clock()-begin) / float64(w.ops)
}

func median(s []float64) float64 {
	s = slices.Clone(s)
	slices.Sort(s)
	return s[len(s)/2]
}

// nothing is the end of a side that leaves what the collector finds.
func nothing() {}

// fresh returns a new context.
func fresh() palloc.Context { return palloc.NewAllocSet(palloc.Top(), "containers") }

// random returns lists of n numbers in a random order that is always the same, and each list in
// another order.
func random(n, times int) (keys, others [][]int64) {
	r := rand.New(rand.NewPCG(1, 2))
	for range times {
		list := make([]int64, n)
		for i := range list {
			list[i] = int64(r.Uint64() >> 1)
		}
		other := slices.Clone(list)
		r.Shuffle(n, func(i, j int) { other[i], other[j] = other[j], other[i] })
		keys, others = append(keys, list), append(others, other)
	}
	return keys, others
}

// sink keeps what is read from being optimized away.
var sink int64
