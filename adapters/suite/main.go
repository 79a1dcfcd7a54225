// Suite runs the own tests of libraries on contexts, and on the memory that these libraries have
// otherwise, and compares:
//
//	go run ./adapters/suite                  # all of them
//	go run ./adapters/suite arrow wazero     # some
//
// It holds: copies of the modules, in which what allocates hands on to what is under test. Memory that
// is overwritten when it is freed tells tests that use it after its last release, whatever allocates it.
//
// Cost: some minutes for a library.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const palloc = "github.com/gopalloc/palloc"

func main() {
	log.SetFlags(0)
	log.SetPrefix("suite: ")
	bad := 0
	for _, p := range chosen(os.Args[1:]) {
		n, err := p.run()
		if err != nil {
			log.Fatalf("%s: %v", p.name, err)
		}
		bad += n
	}
	if bad > 0 {
		log.Fatalf("%d tests fail on a context only", bad)
	}
}

// chosen returns the peers of the names, or all.
func chosen(names []string) (some []peer) {
	if len(names) == 0 {
		return peers
	}
	for _, name := range names {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		if i < 0 {
			log.Printf("%q is no library: there are arrow, wazero and pebble", name)
			os.Exit(2)
		}
		some = append(some, peers[i])
	}
	return some
}

// run copies a peer, and compares its packages. It returns how many tests fail on a context only.
func (p peer) run() (bad int, err error) {
	dir, err := os.MkdirTemp("", p.name)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := p.copy(dir); err != nil {
		return 0, err
	}
	for _, name := range p.packages {
		n, err := p.compare(dir, name)
		if err != nil {
			return 0, err
		}
		bad += n
	}
	return bad, nil
}

// copy copies the module to a folder, and puts what is under test into it.
func (p peer) copy(dir string) error {
	root, err := output(".", "list", "-m", "-f", "{{.Dir}}", palloc)
	if err != nil {
		return err
	}
	download, err := output(os.TempDir(), "mod", "download", "-json", p.module+"@"+p.version)
	if err != nil {
		return err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(download), &module); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		return err
	}
	if err := p.prepare(dir); err != nil {
		return err
	}
	edit := []string{"mod", "edit", "-require", palloc + "@v0.0.0", "-replace", palloc + "=" + root}
	if p.adapter != "" {
		adapter := palloc + "/adapters/" + p.adapter
		edit = append(edit, "-require", adapter+"@v0.0.0", "-replace", adapter+"="+filepath.Join(root, "adapters", p.adapter))
	}
	_, err = output(dir, edit...)
	return err
}

// compare runs the tests of packages on each memory, and returns how many fail on a context only.
func (p peer) compare(dir, name string) (bad int, err error) {
	results, took := map[string]map[string]string{}, map[string]time.Duration{}
	memories := []string{"own", "palloc"}
	if p.overwrites {
		memories = append(memories, "overwrite")
	}
	if err := command(dir, "test", "-vet=off", "-run", "^$", name).Run(); err != nil { // compiles
		return 0, err
	}
	for _, with := range memories {
		begin := time.Now()
		if results[with], err = p.test(dir, name, with); err != nil {
			return 0, err
		}
		took[with] = time.Since(begin)
	}
	own, ours, overwritten := results["own"], results["palloc"], results["overwrite"]
	var only, late []string
	for test, outcome := range own {
		_, ran := ours[test]
		switch {
		case outcome != "pass" || ours[test] == "pass":
		case !ran && isPart(test):
			// its name is random; the whole test has an outcome, too
		case p.overwrites && overwritten[test] != "pass":
			late = append(late, test)
		default:
			only = append(only, test)
		}
	}
	fmt.Printf("%s %s: %d pass on its own memory in %.0f s, %d on a context in %.0f s; %d fail there only",
		p.name, name, count(own, "pass"), took["own"].Seconds(), count(ours, "pass"), took["palloc"].Seconds(), len(only))
	if p.overwrites {
		fmt.Printf(", %d there and where freed memory is overwritten", len(late))
	}
	fmt.Println()
	slices.Sort(only)
	for _, test := range only {
		fmt.Println("    on a context only:", test)
	}
	return len(only), nil
}

// isPart reports whether a test, "package TestName/part", is a part of another.
func isPart(test string) bool {
	_, name, _ := strings.Cut(test, " ")
	return strings.Contains(name, "/")
}

func count(outcomes map[string]string, of string) (n int) {
	for _, outcome := range outcomes {
		if outcome == of {
			n++
		}
	}
	return n
}

// test returns the outcome of each test of packages.
func (p peer) test(dir, name, with string) (map[string]string, error) {
	cmd := command(dir, slices.Concat([]string{"test", "-vet=off", "-count=1", "-json", "-timeout=20m"}, p.flags, []string{name})...)
	cmd.Env = append(cmd.Env, "ALLOCATOR="+with)
	out, err := cmd.Output()
	outcomes := map[string]string{}
	for events := json.NewDecoder(bytes.NewReader(out)); ; {
		var event struct{ Action, Package, Test, Output string }
		if events.Decode(&event) != nil {
			break // the end
		}
		switch {
		case event.Test != "":
			outcomes[event.Package+" "+event.Test] = event.Action
		case strings.Contains(event.Output, "[no test files]"):
			outcomes[event.Package] = "none"
		}
	}
	if len(outcomes) == 0 {
		return nil, fmt.Errorf("%s on %s: %v\n%s", name, with, err, out)
	}
	return outcomes, nil
}

// command is a call of the go command; in a copy, outside any workspace.
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
