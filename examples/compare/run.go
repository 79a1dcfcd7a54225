package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A run of a program in a process of its own, and its figures.
//
// Invariant: the process has ended when run returns.
//
// Cost: the collector's line for each cycle, from which the cycles are counted.

// Figures are what a run took. The wall time of a server is the load's.
type figures struct {
	cpu, wall float64 // seconds
	resident  float64 // MB, the peak; 0 where the system does not tell
	cycles    int     // of the collector
	digest    string  // of the answers
}

// run runs a program once.
func (p program) run(folder, binary, memory string, small bool) (f figures, err error) {
	cmd := exec.Command(binary, append(p.args(folder, small), "-memory", memory)...)
	cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1")
	var trace cycleCounter
	cmd.Stderr = &trace
	out, err := cmd.StdoutPipe()
	if err != nil {
		return f, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return f, err
	}
	if p.load == nil {
		f.digest, err = digestOf(out)
		err = errors.Join(err, cmd.Wait())
		f.wall = time.Since(begin).Seconds()
	} else {
		f.wall, f.digest, err = p.serve(out, small)
		f.resident = highWater(cmd.Process.Pid)
		cmd.Process.Kill()
		cmd.Wait() // says that it was killed
	}
	if err != nil {
		return f, fmt.Errorf("%w\n%s", err, trace.other)
	}
	f.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	f.cycles = trace.n
	if f.resident == 0 {
		f.resident = peakResident(cmd.ProcessState)
	}
	return f, nil
}

// highWater returns the greatest resident size so far of a process that runs, in MB, where Linux' /proc tells it; else 0.
func highWater(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kibibytes, _ := strconv.Atoi(number)
	return float64(kibibytes) * 1024 / 1e6
}

// serve gives a server its load.
func (p program) serve(out io.Reader, small bool) (wall float64, digest string, err error) {
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		return 0, "", fmt.Errorf("the server does not listen: %q, %w", line, err)
	}
	begin := time.Now()
	digest, err = p.load(addr, small)
	return time.Since(begin).Seconds(), digest, err
}

// digestOf returns a digest of all that is read.
func digestOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return string(h.Sum(nil)), err
}

// A cycleCounter counts the collector's lines in what is written, and keeps the others.
type cycleCounter struct {
	n     int
	line  []byte // that is not complete
	other []byte
}

// Write is io.Writer's.
func (c *cycleCounter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		c.line = append(c.line, line...)
		if !found {
			return n, nil
		}
		if bytes.HasPrefix(c.line, []byte("gc ")) && bytes.Contains(c.line, []byte(" ms clock, ")) {
			c.n++
		} else if len(c.other) < 4096 {
			c.other = append(append(c.other, c.line...), '\n')
		}
		c.line, b = c.line[:0], rest
	}
}
