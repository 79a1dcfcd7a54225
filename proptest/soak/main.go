// Command soak works contexts of all kinds from several goroutines for hours, and watches
// what the process has resident: after the first tenth of the time, it may rise by one
// percent at most.
//
//	go run ./proptest/soak -for 2h
//
// It prints one line, and fails when the memory rises or a chunk has not the content that
// it was given.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/gopalloc/palloc"
)

// The command.
//
// Invariant: the exit status is 0 for a soak that held, 1 for one that did not, 2 where
// nothing could be measured.
//
// Cost: two processors, and some 300 MiB.

func main() {
	long := flag.Duration("for", 2*time.Hour, "how long to work")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "the seed of the work")
	verbose := flag.Bool("v", false, "print samples, and what they consist of")
	flag.Parse()
	if flag.NArg() > 0 || *long < 20*time.Second {
		flag.Usage()
		os.Exit(2)
	}
	s := soak{long: *long, seed: *seed}
	if *verbose {
		s.report = report
	}
	v, err := s.run()
	if err != nil {
		fmt.Println("soak: no verdict:", err)
		os.Exit(2)
	}
	fmt.Println(v)
	if !v.ok() {
		os.Exit(1)
	}
}

// report prints each sample of the first minute, and one a minute later.
func report(at time.Duration, resident int64) {
	if at >= time.Minute && at%time.Minute >= time.Second {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p := palloc.PageHeap()
	fmt.Fprintf(os.Stderr, "%8s: %s resident; contexts hold %s, the page heap retains %s and has %s of metadata; Go has %s\n",
		at.Truncate(time.Second), mebibytes(resident), mebibytes(p.Held), mebibytes(p.Retained), mebibytes(p.Metadata), mebibytes(int64(m.Sys-m.HeapReleased)))
}
