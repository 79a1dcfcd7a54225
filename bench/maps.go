package main

import (
	"errors"
	"flag"
	"io"

	"github.com/gopalloc/palloc/bench/maps"
)

// Hash maps: they are measured in this process, round by round.
//
// Invariant: none. Cost: that of the measurement.

const mapsUsage = `bench maps measures palloc's hash maps beside Go's map, cockroachdb/swiss and dolthub/swiss, interleaved,
and prints ratios.

  go run ./bench maps [flags]

`

// runMaps carries out the command line and returns the exit status.
func runMaps(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("maps", flag.ContinueOnError)
	o := maps.Flags(flags)
	err := parseOneLine(flags, mapsUsage, args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err == nil {
		err = maps.Run(o, stdout)
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	return statusOK
}
