package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc/trace"
)

// Instructions: what palloc and PostgreSQL 18 take for each operation, which no other
// program on the machine can disturb.
//
// Invariant: the instructions of two passes are those of four passes less those of two, so
// that neither the start of a program counts nor the first pass. Both sides do the same
// work. A floor is the loop of a replay without an allocator, clearing included. Cost: four
// runs under valgrind for each recording and side, minutes in all.

const instructionsUsage = `bench instructions counts the instructions of warm replays, by valgrind: of palloc and of
PostgreSQL 18's allocator, for each kind of operation and each recording.

  go run ./bench instructions [flags]

`

// runInstructions carries out the command line.
func runInstructions(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("instructions", flag.ContinueOnError)
	folder := flags.String("traces", "", "the folder with the recordings (*"+traceSuffix+") to replay")
	err := parseOneLine(flags, instructionsUsage, args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("instructions takes no arguments, and got %q", flags.Arg(0))
	}
	var root string
	if err == nil {
		root, err = findRoot()
	}
	var list []recording
	if err == nil {
		list, err = recordings(root, *folder)
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	if err := instructions(root, list, stdout); err != nil {
		return complain(stderr, statusFailed, err)
	}
	return statusOK
}

// instructions writes the two tables.
func instructions(root string, list []recording, w io.Writer) error {
	folder, err := os.MkdirTemp("", "palloc-instructions")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	c, err := newCounter(root, folder)
	if err != nil {
		return err
	}
	single, err := unitRecordings(folder)
	if err != nil {
		return err
	}
	if err := flatten(list, folder); err != nil {
		return err
	}
	fmt.Fprintf(w, "Instructions of one operation, less the loops, of palloc and of PostgreSQL %s:\n\n", c.theirs.version)
	empty, err := c.both(single[0]) // what a pass takes by itself
	if err != nil {
		return err
	}
	var rows [][]string
	for i, u := range units[1:] {
		r, err := c.both(single[i+1])
		if err != nil {
			return err
		}
		ours, theirs := r.less(empty).above(unitRounds)
		rows = append(rows, []string{u.what, number(ours), number(theirs), number(ours / theirs)})
	}
	table(w, []string{"operation", "palloc", "PostgreSQL", "ratio"}, rows)
	return c.recordings(w, list)
}

// recordings writes the table of the recordings.
func (c *counter) recordings(w io.Writer, list []recording) error {
	fmt.Fprintf(w, "Instructions of an operation in a warm replay:\n\n")
	var rows [][]string
	whole, above := 0.0, 0.0
	for _, from := range list {
		r, err := c.both(from)
		if err != nil {
			return err
		}
		ours, theirs := r.above(r.ops)
		whole += math.Log(r.ours / r.theirs)
		above += math.Log(ours / theirs)
		rows = append(rows, []string{from.name(), number(r.ours / r.ops), number(r.theirs / r.ops), number(r.ours / r.theirs),
			number(r.ourFloor / r.ops), number(r.theirFloor / r.ops), number(ours / theirs)})
	}
	n := float64(len(list))
	rows = append(rows, []string{"geometric mean", "", "", number(math.Exp(whole / n)), "", "", number(math.Exp(above / n))})
	table(w, []string{"recording", "palloc", "PostgreSQL", "ratio", "Go loop", "C loop", "ratio above the loops"}, rows)
	return nil
}

// unitRecordings writes the recordings of the units, in both forms.
func unitRecordings(folder string) (list []recording, err error) {
	for _, u := range units {
		t, err := u.recording()
		if err != nil {
			return nil, err
		}
		r := recording{path: filepath.Join(folder, u.name+traceSuffix)}
		if err := writeStream(r.path, func(w io.Writer) error { return trace.WriteGzip(w, t) }); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, flatten(list, folder)
}

// counter counts the instructions of the two programs.
type counter struct {
	ours, theirs peer
	profile      string // a file that valgrind writes, and that is not read
}

// newCounter builds the programs.
func newCounter(root, folder string) (*counter, error) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		return nil, errors.New("valgrind counts the instructions, and is missing: .ci/bench-setup installs it")
	}
	ours := buildGo(context.Background(), root, folder, []string{"palloc"})
	theirs := buildPG18(context.Background(), root, folder, []string{pg18})
	for _, b := range []built{ours, theirs} {
		if len(b.leftOut) > 0 {
			return nil, errors.New(b.leftOut[0].Why)
		}
	}
	return &counter{ours.peers[0], theirs.peers[0], filepath.Join(folder, "profile")}, nil
}

// counted is the instructions of a pass, on both sides, with and without an allocator.
type counted struct{ ours, theirs, ourFloor, theirFloor, ops float64 }

// less returns what is counted beyond another one.
func (r counted) less(other counted) counted {
	return counted{r.ours - other.ours, r.theirs - other.theirs, r.ourFloor - other.ourFloor, r.theirFloor - other.theirFloor, r.ops}
}

// above returns the instructions for each of n operations that are not the loops'.
func (r counted) above(n float64) (ours, theirs float64) {
	return (r.ours - r.ourFloor) / n, (r.theirs - r.theirFloor) / n
}

// both counts a recording.
func (c *counter) both(from recording) (r counted, err error) {
	for _, count := range []struct {
		of       peer
		workload string
		at       *float64
	}{
		{c.ours, "passes", &r.ours},
		{c.ours, "passes-floor", &r.ourFloor},
		{c.theirs, "passes", &r.theirs},
		{c.theirs, "passes-floor", &r.theirFloor},
	} {
		if *count.at, r.ops, err = c.pass(count.of, count.workload, from); err != nil {
			break
		}
	}
	return r, err
}

// pass returns the instructions of a warm pass, and its operations.
func (c *counter) pass(p peer, workload string, from recording) (instructions, ops float64, err error) {
	two, _, err := c.run(p, workload+"-2", from)
	if err != nil {
		return 0, 0, err
	}
	four, ops, err := c.run(p, workload+"-4", from)
	return (four - two) / 2, ops, err
}

var refs = regexp.MustCompile(`I\s+refs:\s+([\d,]+)`)

// attempts is how often a program is started under valgrind, which does not know RDTSCP: a
// Go program dies of it when its runtime measures how long a thread waited.
const attempts = 20

// run returns how many instructions a program took, and the operations of a pass.
func (c *counter) run(p peer, workload string, from recording) (instructions, ops float64, err error) {
	file := from.path
	if p.flat {
		file = from.flat
	}
	var said strings.Builder
	for range attempts {
		said.Reset()
		cmd := exec.Command("valgrind", append([]string{"--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=" + c.profile},
			append(p.command, workload, file)...)...)
		cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
		cmd.Stderr = &said
		var out []byte
		if out, err = cmd.Output(); err != nil {
			err = fmt.Errorf("%s %s under valgrind: %w: %s", p.name, workload, err, lastLine(said.String()))
			continue
		}
		figures, err := figuresOf(out)
		if err != nil {
			return 0, 0, err
		}
		m := refs.FindStringSubmatch(said.String())
		if m == nil {
			return 0, 0, fmt.Errorf("valgrind printed no count: %s", lastLine(said.String()))
		}
		instructions, err = strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
		return instructions, figures["ops"], err
	}
	return 0, 0, err
}
