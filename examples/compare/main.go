// Command compare runs the examples that have two implementations, one in contexts and one on Go's heap, and
// prints a table of what each takes:
//
//	go run ./examples/compare                  # five rounds of each: some three minutes
//	go run ./examples/compare -small -rounds 1 # that all of it works: some seconds
//	go run ./examples/compare -only 'query|web'
//
// In each round both run in turn, each in a new process. A figure is the median of the rounds, a ratio the
// median of the rounds' ratios. What the load takes is not part of a server's figures, but it shares the processors.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
)

// The command: which programs there are, and the rounds.
//
// Invariant: the two implementations of a program get the same work, and must answer the same.
//
// Cost: that of the programs; the greatest is the cache server, with some 500 MB on Go's heap.

// memories are the implementations, by the value of the programs' flag -memory: ours is divided by the other's.
var memories = [2]string{"palloc", "go"}

// sources are the files of the implementations, in the same order.
var sources = [2]string{"palloc.go", "goheap.go"}

// A program is an example with two implementations.
type program struct {
	name string
	// args returns the arguments beside -memory. Folder is for files that all runs share.
	args func(folder string, small bool) []string
	// load gives work to a server, and returns a digest of the answers; nil for a program that ends by itself.
	load func(addr string, small bool) (digest string, err error)
}

var programs = []program{
	{name: "query", args: queryArgs},
	{name: "web", args: anyPort, load: loadWeb},
	{name: "cacheserver", args: cacheArgs, load: loadCache},
}

func anyPort(string, bool) []string { return []string{"-addr", "127.0.0.1:0"} }

func cacheArgs(string, bool) []string { return []string{"-addr", "127.0.0.1:0", "-limit", "16384"} }

func queryArgs(folder string, small bool) []string {
	args := []string{"-csv", filepath.Join(folder, "orders.csv")}
	if small {
		return append(args, "-orders", "20000", "-customers", "1000", "-limit", "1")
	}
	return args
}

func main() {
	rounds := flag.Int("rounds", 5, "rounds, in each of which every implementation runs once")
	only := flag.String("only", "", "regular expression for the names of the programs")
	small := flag.Bool("small", false, "little work, to see that it runs")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil || *rounds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	fmt.Printf("%s, %s/%s, GOMAXPROCS %d, %d rounds\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), *rounds)
	var rows []row
	for _, p := range programs {
		if !wanted.MatchString(p.name) {
			continue
		}
		r, err := p.compare(*rounds, *small)
		if err != nil {
			log.Fatal(p.name, ": ", err)
		}
		rows = append(rows, r)
	}
	if err := writeTable(os.Stdout, rows); err != nil {
		log.Fatal(err)
	}
}

// compare builds a program and runs the rounds.
func (p program) compare(rounds int, small bool) (row, error) {
	r := row{name: p.name}
	folder, err := os.MkdirTemp("", "palloc-compare-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(folder)
	binary, err := p.build(folder)
	if err != nil {
		return r, err
	}
	for i, source := range sources {
		if r.lines[i], err = p.lines(source); err != nil {
			return r, err
		}
	}
	if p.load == nil { // makes the files
		if _, err := p.run(folder, binary, memories[1], small); err != nil {
			return r, err
		}
	}
	for round := range rounds {
		var digests [2]string
		for turn := range memories {
			i := (turn + round) % 2
			f, err := p.run(folder, binary, memories[i], small)
			if err != nil {
				return r, fmt.Errorf("-memory %s: %w", memories[i], err)
			}
			digests[i] = f.digest
			r.runs[i] = append(r.runs[i], f)
			fmt.Fprintf(os.Stderr, "%s, round %d, %s: %.2f s CPU, %.2f s, %.1f MB, %d cycles\n",
				p.name, round+1, memories[i], f.cpu, f.wall, f.resident, f.cycles)
		}
		if digests[0] != digests[1] {
			return r, fmt.Errorf("the answers differ: %.100q and %.100q", digests[0], digests[1])
		}
	}
	return r, nil
}

// build returns the program's path.
func (p program) build(folder string) (string, error) {
	binary := filepath.Join(folder, p.name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", binary, importPath+p.name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

const importPath = "github.com/gopalloc/palloc/examples/"

// lines returns the number of lines of one of the program's sources.
func (p program) lines(source string) (int, error) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", importPath+p.name).Output()
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(filepath.Join(string(dir[:max(len(dir)-1, 0)]), source))
	return countLines(text), err
}
