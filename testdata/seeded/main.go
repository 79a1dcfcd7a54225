// Command seeded makes one mistake, which a build with -asan, with -race or with GOEXPERIMENT=cgocheck2 must
// report:
//
//	seeded -list
//	seeded N [right]
//
// The first form prints a line for each mistake: its number, the build that reports it, and what it is.
// The second makes mistake N, or does the same correctly. The line at fault ends with "// mistake N".
package main

import (
	"fmt"
	"os"
	"strconv"
)

// A seed is a mistake.
type seed struct {
	build string // "asan", "race" or "cgocheck2"
	what  string
	run   func(wrong int) // 1 for the mistake, 0 for its twin
}

func main() {
	seeds := append(append(memory, races...), pointers...)
	if len(os.Args) == 2 && os.Args[1] == "-list" {
		for i, s := range seeds {
			fmt.Println(i+1, s.build, s.what)
		}
		return
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || n < 1 || n > len(seeds) {
		fmt.Fprintln(os.Stderr, "seeded: there is no mistake", os.Args[1])
		os.Exit(2)
	}
	wrong := 1
	if len(os.Args) > 2 && os.Args[2] == "right" {
		wrong = 0
	}
	seeds[n-1].run(wrong)
	fmt.Println("nothing was reported")
}
