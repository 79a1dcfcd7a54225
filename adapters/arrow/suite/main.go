// Suite runs Apache Arrow's own tests on a context, and on Arrow's own allocator, and compares:
//
//	go run ./adapters/arrow/suite
//
// It holds: a copy of the module, in which Arrow's allocators for Go hand on to the one under test.
// With "overwrite" they are Go's memory, which is overwritten when it is freed: a test that fails there
// uses memory after its last Release, whatever allocates it.
//
// Cost: some minutes.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed backend.go.txt
var backend []byte

const (
	arrow   = "github.com/apache/arrow-go/v18"
	palloc  = "github.com/gopalloc/palloc"
	adapter = palloc + "/adapters/arrow"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("suite: ")
	packages := flag.String("packages", "memory,array,compute,ipc", "those below arrow/ whose tests run, by commas")
	flag.Parse()
	dir, err := os.MkdirTemp("", "arrow")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := prepare(dir); err != nil {
		log.Fatal(err)
	}
	bad := 0
	for _, name := range strings.Split(*packages, ",") {
		n, err := compare(dir, "./arrow/"+name)
		if err != nil {
			log.Fatal(err)
		}
		bad += n
	}
	if bad > 0 {
		log.Fatalf("%d tests fail on a context only", bad)
	}
}

// prepare copies the module to a folder and puts the allocator under test into it.
func prepare(dir string) error {
	from, err := output(".", "list", "-m", "-f", "{{.Dir}}", arrow)
	if err != nil {
		return err
	}
	root, err := output(".", "list", "-m", "-f", "{{.Dir}}", palloc)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return err
	}
	memory := filepath.Join(dir, "arrow", "memory")
	if err := os.Remove(filepath.Join(memory, "go_allocator.go")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(memory, "go_allocator.go"), backend, 0o644); err != nil {
		return err
	}
	_, err = output(dir, "mod", "edit", "-require", palloc+"@v0.0.0", "-replace", palloc+"="+root,
		"-require", adapter+"@v0.0.0", "-replace", adapter+"="+filepath.Join(root, "adapters", "arrow"))
	return err
}

// compare runs the tests of a package on each allocator, and returns how many fail on a context only.
func compare(dir, name string) (bad int, err error) {
	results := map[string]map[string]string{}
	for _, with := range []string{"go", "palloc", "overwrite"} {
		if results[with], err = run(dir, name, with); err != nil {
			return 0, err
		}
	}
	own, ours, overwritten := results["go"], results["palloc"], results["overwrite"]
	var only, late []string
	for test, outcome := range own {
		if outcome == "pass" && ours[test] != "pass" {
			if overwritten[test] != "pass" {
				late = append(late, test)
			} else {
				only = append(only, test)
			}
		}
	}
	fmt.Printf("%-16s %6d pass on Arrow's allocator, %6d on a context; %d fail there only, and %d there and where freed memory is overwritten\n",
		name, count(own, "pass"), count(ours, "pass"), len(only), len(late))
	slices.Sort(only)
	for _, test := range only {
		fmt.Println("    on a context only:", test)
	}
	return len(only), nil
}

func count(outcomes map[string]string, of string) (n int) {
	for _, outcome := range outcomes {
		if outcome == of {
			n++
		}
	}
	return n
}

// run returns the outcome of each test of a package.
func run(dir, name, with string) (map[string]string, error) {
	cmd := command(dir, "test", "-vet=off", "-count=1", "-json", "-timeout=20m", name)
	cmd.Env = append(cmd.Env, "ALLOCATOR="+with)
	out, err := cmd.Output()
	outcomes := map[string]string{}
	for events := json.NewDecoder(bytes.NewReader(out)); ; {
		var event struct{ Action, Test string }
		if events.Decode(&event) != nil {
			break // the end
		}
		if event.Test != "" {
			outcomes[event.Test] = event.Action
		}
	}
	if len(outcomes) == 0 {
		return nil, fmt.Errorf("%s on %s: %v\n%s", name, with, err, out)
	}
	return outcomes, nil
}

// command is a call of the go command outside any workspace but this project's.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = os.Environ()
	if dir != "." {
		cmd.Env = append(cmd.Env, "GOWORK=off", "GOFLAGS=-mod=mod")
	}
	return cmd
}

func output(dir string, args ...string) (string, error) {
	out, err := command(dir, args...).Output()
	return strings.TrimSpace(string(out)), err
}
