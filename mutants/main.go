// Mutants changes one thing in palloc at a time, at random, and reports which changes no test
// notices:
//
//	go run ./mutants -n 200 -seed 1
//
// Each mutant is compiled by an overlay, so that no file changes. The tests of its own package
// run first, then those below internal, then the root's, until one fails. An outcome is appended
// to the file -state, and a mutant that is there does not run again.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("mutants: ")
	var (
		n       = flag.Int("n", 50, "how many mutants are drawn")
		seed    = flag.Uint64("seed", 1, "of the draw")
		jobs    = flag.Int("j", 1, "how many run at a time")
		state   = flag.String("state", "mutants.json", "the file of outcomes, a JSON object a line")
		only    = flag.String("only", "", "a regular expression for the files, as internal/tree/move.go")
		kinds   = flag.String("kind", "", "a regular expression for the kinds of mutants")
		again   = flag.Bool("again", false, "run the mutants that survived through further tests")
		timeout = flag.Duration("timeout", 4*time.Minute, "of the tests of one stage")
		list    = flag.Bool("list", false, "list the mutants that are drawn, and run none")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	all, err := findMutants(".", regexp.MustCompile(*only), regexp.MustCompile(*kinds))
	if err != nil {
		log.Fatal(err)
	}
	drawn := draw(all, *n, *seed)
	fmt.Printf("%d mutants are possible, %d drawn\n", len(all), len(drawn))
	if *list {
		for _, m := range drawn {
			fmt.Print(m.describe())
		}
		return
	}
	r := runner{timeout: *timeout}
	if r.outcomes, err = openOutcomes(*state); err != nil {
		log.Fatal(err)
	}
	if err := r.unchanged(ctx, *again); err != nil {
		log.Fatal(err)
	}
	wanted := ""
	if *again {
		wanted = survived
	}
	if err := r.all(ctx, drawn, wanted, *jobs); err != nil {
		log.Fatal(err)
	}
	report(os.Stdout, drawn, r.outcomes)
}

// draw returns n of the mutants, in random order.
func draw(all []mutant, n int, seed uint64) []mutant {
	drawn := append([]mutant(nil), all...)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn[:min(n, len(drawn))]
}

// all runs the mutants of an outcome, "" for none yet, some at a time.
func (r *runner) all(ctx context.Context, drawn []mutant, outcome string, jobs int) error {
	var (
		work = make(chan mutant)
		wait sync.WaitGroup
		once sync.Once
		fail error
	)
	for range max(jobs, 1) {
		wait.Go(func() {
			for m := range work {
				if err := r.one(ctx, m); err != nil {
					once.Do(func() { fail = err })
				}
			}
		})
	}
	for _, m := range drawn {
		if ctx.Err() == nil && r.outcomes.of(m) == outcome {
			work <- m
		}
	}
	close(work)
	wait.Wait()
	return fail
}
