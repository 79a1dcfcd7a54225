// Command cells runs one Go cell: cells PEER WORKLOAD [FILE], as bench/README.md
// has it. It is a program of its own, so that a cell's process holds nothing for
// the collector to look at but the cell.
//
// Exit status: 3 when the peer does not know the workload, 2 when the command line
// was bad, 1 when the cell failed.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gopalloc/palloc/bench/cell"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one cell and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	const failed, usage, unknown = 1, 2, 3
	if len(args) < 2 || len(args) > 3 {
		fmt.Fprintf(stderr, "cells wants PEER WORKLOAD [FILE], and got %d words\n", len(args))
		return usage
	}
	figures, err := cell.Run(args[0], args[1], append(args, "")[2])
	if errors.Is(err, cell.ErrUnknown) {
		return unknown
	}
	if err == nil {
		err = json.NewEncoder(stdout).Encode(figures)
	}
	if err != nil {
		fmt.Fprintln(stderr, "cells:", err)
		return failed
	}
	return 0
}
