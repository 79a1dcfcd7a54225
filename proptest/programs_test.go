package proptest_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Programs of random operations, compared with a model.
//
//	go test -run Programs ./proptest                        # 10,000 programs
//	go test -run Programs ./proptest -programs 1000000 -timeout 0
//
// A failure is made as short as it can be, and is printed with the command that repeats it.

// programs is how many programs TestPrograms runs in all; -short runs a fifth of them, of
// half the length.
var programs = flag.Int("programs", 10_000, "programs that TestPrograms runs")

// steps is the mean number of operations of a program.
const steps = 100

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.steps", strconv.Itoa(steps)); err != nil { // the command line may set another number
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// checks sets how many checks the next rapid.Check does.
func checks(t *testing.T, n int) {
	t.Helper()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
}

// trees are the sorts of contexts in the trees of programs, and their part of all programs
// in tenths.
var trees = []struct {
	name  string
	part  int
	sorts []sort
}{
	{"all", 5, []sort{allocSet, shared, generation, bump, slab}},
	{"AllocSet", 1, []sort{allocSet}},
	{"Shared", 1, []sort{shared}},
	{"Generation", 1, []sort{generation}},
	{"Bump", 1, []sort{bump, allocSet}},
	{"Slab", 1, []sort{slab}},
}

func TestPrograms(t *testing.T) {
	clear(paths.reached)
	for _, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			checks(t, *programs*tree.part/10)
			rapid.Check(t, program(tree.sorts...))
		})
	}
	switch {
	case t.Failed():
	case testing.Short():
		wantPaths(t, 1)
	default:
		wantPaths(t, minReached**programs/10_000)
	}
}
