// Command bench measures palloc against other allocators.
//
//	bench [flags]                 measure, and write docs/BENCHMARKS.md
//	bench compare OLD NEW         compare two runs that -json wrote
//	bench instructions            count palloc's instructions beside PostgreSQL 18's
//	bench maps                    measure hash maps
//	bench help                    print this
//
// Exit status: 0 when all went well, 1 when a cell failed or palloc became worse,
// 2 when the command line or a file it names was bad.
package main

import (
	"fmt"
	"io"
	"os"
)

// The exit statuses.
const (
	statusOK     = 0
	statusFailed = 1 // a cell failed, or compare found palloc worse
	statusUsage  = 2 // the input was bad
)

const usage = `bench measures palloc against other allocators.

  go run ./bench [flags]                     measure, and write docs/BENCHMARKS.md
  go run ./bench compare [flags] OLD NEW     compare two runs that -json wrote
  go run ./bench instructions [flags]        count palloc's instructions beside PostgreSQL 18's
  go run ./bench maps [flags]                measure hash maps beside other maps for Go
  go run ./bench help                        print this

The first four list their flags with -help.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "compare":
		return runCompare(args[1:], stdout, stderr)
	case "instructions":
		return runInstructions(args[1:], stdout, stderr)
	case "maps":
		return runMaps(args[1:], stdout, stderr)
	case "help":
		fmt.Fprint(stdout, usage)
		return statusOK
	}
	return runMeasure(args, stdout, stderr)
}

// complain prints an error as one line and returns the status.
func complain(stderr io.Writer, status int, err error) int {
	fmt.Fprintln(stderr, "bench:", oneLine(err.Error()))
	return status
}
