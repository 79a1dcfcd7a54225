// Package maps measures palloc's hash maps beside other maps for Go: go run ./bench maps.
package maps

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gopalloc/palloc/internal/process"
)

// Measuring: rounds of all maps at one operation, one after the other.
//
// Invariant: a ratio compares two maps of one round, which ran within a second of each other. What
// is shown is the median of the rounds. Times are those of the process's processors, with the
// collector's share: it runs once before each insert's time begins, so that no map pays for
// another's garbage.
//
// Cost: minutes for millions of entries.

// A subject is a map with keys of a type. Its loops are written out, with direct calls.
type subject[K any] interface {
	begin()               // makes an empty map
	insert(keys []K)      // of keys that are not there; strings are copied
	find(keys []K) uint64 // looks each key up
	remove(keys []K)
	each() uint64  // a loop over all entries
	before() int64 // held, before begin
	held() int64   // bytes, of Go's heap or of the map's context
	end()          // lets go of the map
}

// names are the subjects', in the order of the arrays below.
var names = []string{"palloc", "Go's map", "cockroachdb/swiss", "dolthub/swiss"}

// A row is what all subjects took for one operation, in each round.
type row struct {
	what  string
	unit  string
	taken [][]float64 // by subject and round
}

// Options are what to measure.
type Options struct {
	sizes, keys     string
	peers           int
	rounds, longest int
}

// Flags adds the flags of the options to a command.
func Flags(flags *flag.FlagSet) *Options {
	o := new(Options)
	flags.StringVar(&o.sizes, "sizes", "1000,100000", "numbers of entries, separated by commas")
	flags.StringVar(&o.keys, "keys", "both", "words, strings or both")
	flags.IntVar(&o.peers, "peers", len(names)-1, "how many peers, from Go's map on")
	flags.IntVar(&o.rounds, "rounds", 9, "rounds of each operation")
	flags.IntVar(&o.longest, "longest", 0, "also find the longest inserts on the way to so many entries")
	return o
}

// Run measures, and prints the medians and the ratios.
func Run(o *Options, stdout io.Writer) error {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	if o.peers < 1 || o.peers >= len(names) {
		return fmt.Errorf("%d is no number of peers", o.peers)
	}
	for _, s := range strings.Split(o.sizes, ",") {
		var n int
		if _, err := fmt.Sscan(s, &n); err != nil || n < 1 {
			return fmt.Errorf("%q is no number of entries", s)
		}
		if o.keys != "strings" {
			words := measure([]subject[uint64]{new(pallocWords), new(goMapWords), new(cockroachWords), new(dolthubWords)}[:1+o.peers],
				func(i uint64) uint64 { return i * 0x9e3779b97f4a7c15 }, n, o.rounds)
			report(stdout, fmt.Sprintf("%d entries, uint64 to uint64", n), words)
		}
		if o.keys != "words" {
			texts := measure([]subject[string]{new(pallocStrings), new(goMapStrings), new(cockroachStrings), new(dolthubStrings)}[:1+o.peers],
				func(i uint64) string { return fmt.Sprintf("%016x", i*0x9e3779b97f4a7c15) }, n, o.rounds)
			report(stdout, fmt.Sprintf("%d entries, strings of 16 bytes to uint64", n), texts)
		}
	}
	if o.longest > 0 {
		report(stdout, fmt.Sprintf("the longest inserts on the way to %d entries", o.longest), findLongest(o.longest, min(o.rounds, 3)))
	}
	return nil
}

// measure measures all operations of maps of n entries.
func measure[K any](all []subject[K], key func(uint64) K, n, rounds int) []row {
	keys, absent := make([]K, n), make([]K, n)
	for i := range keys {
		keys[i], absent[i] = key(uint64(2*i+1)), key(uint64(2*i+2))
	}
	shuffled := slices.Clone(keys)
	rand.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	rand.Shuffle(n, func(i, j int) { absent[i], absent[j] = absent[j], absent[i] })

	rows := []row{{what: "insert", unit: "ns"}, {what: "hit", unit: "ns"}, {what: "miss", unit: "ns"},
		{what: "iterate", unit: "ns"}, {what: "delete", unit: "ns"}, {what: "memory", unit: "bytes"}}
	for i := range rows {
		rows[i].taken = make([][]float64, len(all))
	}
	repeat := max(1, 300_000/n) // passes in one round, so that each takes milliseconds
	for round := range rounds {
		for turn := range all { // in another order each time
			who := (round + turn) % len(all)
			for i, took := range once(all[who], keys, shuffled, absent, repeat) {
				rows[i].taken[who] = append(rows[i].taken[who], took)
			}
		}
	}
	runtime.KeepAlive(keys)
	return rows
}

// sink keeps what loops add up.
var sink uint64

// once measures one map at all operations, in the order of measure's rows: by entry.
func once[K any](s subject[K], keys, shuffled, absent []K, repeat int) []float64 {
	n := float64(len(keys) * repeat)
	runtime.GC()
	before := s.before()
	insert := timed(func() {
		for i := range repeat {
			if i > 0 {
				s.end()
			}
			s.begin()
			s.insert(keys)
		}
	})
	held := s.held() - before
	find := func(keys []K) time.Duration {
		if repeat > 1 {
			sink += s.find(keys) // brings it into the caches, where it has room there
		}
		return timed(func() {
			for range repeat {
				sink += s.find(keys)
			}
		})
	}
	hit, miss := find(shuffled), find(absent)
	each := timed(func() {
		for range repeat {
			sink += s.each()
		}
	})
	var remove time.Duration
	for i := range repeat {
		if i > 0 {
			s.insert(keys)
		}
		remove += timed(func() { s.remove(shuffled) })
	}
	s.end()
	return []float64{float64(insert) / n, float64(hit) / n, float64(miss) / n, float64(each) / n, float64(remove) / n, float64(held) / float64(len(keys))}
}

func timed(work func()) time.Duration {
	begin := process.CPUTime()
	work()
	return process.CPUTime() - begin
}

// heap returns the bytes of live objects on Go's heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// report prints rows: each subject's median, and the median of palloc's ratio to each other one.
func report(w io.Writer, title string, rows []row) {
	fmt.Fprintf(w, "\n%s\n\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\t")
	names := names[:len(rows[0].taken)]
	for _, name := range names {
		fmt.Fprintf(t, "%s\t", name)
	}
	for _, name := range names[1:] {
		fmt.Fprintf(t, "/ %s\t", name)
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		fmt.Fprintf(t, "%s, %s\t", r.what, r.unit)
		for _, taken := range r.taken {
			fmt.Fprintf(t, "%.1f\t", median(taken))
		}
		for who := range names[1:] {
			var ratios []float64
			for round, took := range r.taken[0] {
				ratios = append(ratios, took/r.taken[who+1][round])
			}
			fmt.Fprintf(t, "%.2f\t", median(ratios))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// median returns the middle of the values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
