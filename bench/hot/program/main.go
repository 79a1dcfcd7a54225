// Command program runs one hot path of palloc N times and nothing else: program
// PATH N. The golden test counts the instructions of two runs; what they have in
// common, the start of the program too, cancels out.
//
// Exit status: 2 when the command line was bad.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/gopalloc/palloc/bench/hot"
)

func main() {
	args := append(os.Args[1:], "", "")
	path, known := hot.Paths[args[0]]
	n, err := strconv.Atoi(args[1])
	if !known || err != nil || n <= 0 || len(os.Args) != 3 {
		fmt.Fprintf(os.Stderr, "program wants PATH N, a hot path and how often, and got %q\n", os.Args[1:])
		os.Exit(2)
	}
	path(n)
}
