// Command palloc replays recorded memory traffic against palloc and Go's heap, and draws memory
// contexts.
//
//	palloc replay [flags] [TRACE ...]          replay recordings and compare
//	palloc draw [flags] [TRACE | FILE.json]    make a picture of the contexts
//	palloc version                             print the version
//	palloc help                                print this
//
// With -pg18 PATH, replay compares with PostgreSQL 18's own allocator, too: PATH is the
// program DIR/pg18 that bench/pg18/build DIR makes.
//
// Exit status: 0 when all went well, 1 when a replay failed, 2 when the input
// was bad: an unknown command or flag, a trace that is missing or damaged, a
// -pg18 that does not run, a picture that cannot be written. Each failure is one line on standard error.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
)

// The exit statuses.
const (
	statusOK     = 0
	statusFailed = 1 // a replay failed
	statusUsage  = 2 // the input was bad
)

const usage = `palloc replays recorded memory traffic against palloc and Go's heap, and draws memory contexts.

  palloc replay [flags] [TRACE ...]          replay recordings and compare
  palloc draw [flags] [TRACE | FILE.json]    make a picture of the contexts
  palloc version                             print the version
  palloc help                                print this

'palloc replay -help' and 'palloc draw -help' list the flags.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "replay":
		return replay(args[1:], stdout, stderr)
	case "draw":
		return drawCommand(args[1:], stdout, stderr)
	case workerCommand:
		return work(args[1:], stdout, stderr)
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, version())
		return statusOK
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return statusOK
	}
	return complain(stderr, statusUsage, fmt.Errorf("unknown command %q; 'palloc help' lists what there is", args[0]))
}

// version returns the version of the module, the Go release and the platform.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("palloc %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// complain prints an error as one line and returns the status.
func complain(stderr io.Writer, status int, err error) int {
	fmt.Fprintln(stderr, "palloc:", oneLine(err.Error()))
	return status
}
