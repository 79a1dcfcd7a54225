package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A peer: an allocator that runs cells, whatever it is written in.
//
// Invariant: whatever becomes of its process, a cell ends in figures or in one
// line of error. Cost: a process a cell.

// peer is an allocator, ready to be started.
type peer struct {
	name    string
	command []string // what comes before WORKLOAD [FILE]
	version string   // of the allocator, where it has one
	flat    bool     // replays flat traces, not the recordings themselves
}

// exitUnknown is the status of a program that does not know the workload.
const exitUnknown = 3

// errUnknown is what run returns when the peer does not know the workload.
var errUnknown = errors.New("unknown workload")

// run runs one cell on processors of its own and returns its figures.
func (p peer) run(ctx context.Context, limit time.Duration, processors int, args ...string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, said bytes.Buffer
	argv := append(append([]string{}, p.command...), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &said
	// An interrupt lets a client take its query back before it goes.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	err := startPinned(cmd, processors)
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() == context.DeadlineExceeded {
		return nil, fmt.Errorf("not done after %v: -limit gives it longer", limit)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == exitUnknown && out.Len() == 0 {
		return nil, errUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(said.String()))
	}
	return figuresOf(out.Bytes())
}

// figuresOf reads what a cell printed.
func figuresOf(out []byte) (figures map[string]float64, err error) {
	d := json.NewDecoder(bytes.NewReader(out))
	if err := d.Decode(&figures); err != nil || len(figures) == 0 {
		return nil, fmt.Errorf("it printed %q: a cell prints one JSON object of figures", shortened(string(out)))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("it printed %q: a cell prints one line and no more", shortened(string(out)))
	}
	return figures, nil
}

// lastLine returns the last line that a program said, which tells its end.
func lastLine(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return shortened(last)
	}
	return "it said nothing"
}

// shortened cuts what is too long for a line.
func shortened(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most] + " ..."
	}
	return s
}
