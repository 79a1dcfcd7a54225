package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gopalloc/palloc/bench/cell"
)

// The hidden command of a Go cell, as bench/README.md has it.
//
// Invariant: one line on standard output, or one on standard error. Cost: none
// within the cell.

// runCell runs one cell and returns the exit status.
func runCell(args []string, stdout, stderr io.Writer) int {
	if len(args) < 2 || len(args) > 3 {
		return complain(stderr, statusUsage, fmt.Errorf("cell wants PEER WORKLOAD [FILE], and got %d words", len(args)))
	}
	file := append(args, "")[2]
	figures, err := cell.Run(args[0], args[1], file)
	if errors.Is(err, cell.ErrUnknown) {
		return exitUnknown
	}
	if err != nil {
		return complain(stderr, statusFailed, err)
	}
	json.NewEncoder(stdout).Encode(figures)
	return statusOK
}
