package palloc_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// The fault matrix in contexts that are not checked: what an ordinary build answers. Each cell is
// a process of its own, which it may end.

// An verdict is what an ordinary build answers to a misuse.
type verdict string

const (
	always   verdict = "always"        // a Fault of the function that was called wrongly
	asRule   verdict = "as a rule"     // a Fault in each of several runs, which depend on the scheduler
	later    verdict = "always, later" // a Fault of a later call, which may name another chunk
	atCheck  verdict = "at Check"      // an error of Check, and only that
	byChance verdict = "by chance"     // the program ends by a page fault or a panic of the runtime, or not
	ifAsked  verdict = "if asked"      // Leaks tells
	never    verdict = "never"         // wrong data, a leak, or nothing
	harmless verdict = "no harm"
)

// An answerKey is a cell of an ordinary build.
type answerKey struct {
	misuse int
	letter byte
	size   int
}

const childVariable = "PALLOC_FAULT_CELL" // of the environment: the cell that a process runs

// noOrdinary says why no processes can be started here, "" if they can.
func noOrdinary() string {
	switch {
	case testing.Short():
		return "-short: starts hundreds of processes"
	case raced:
		return "the race detector reports what an ordinary build does not"
	case !protects():
		return "on Go's heap a misuse damages what is not palloc's"
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		return "the table of docs/SAFETY.md is of linux/amd64"
	}
	return ""
}

// ordinaryCells returns the cells that are run: those of the matrix, and of other misuses the ones of 4 KiB.
func ordinaryCells() (keys []answerKey) {
	for i := range misuses {
		m := &misuses[i]
		for _, c := range m.cells() {
			if len(m.sizes) < 2 || c.size+m.less == 4<<10 {
				keys = append(keys, answerKey{i, c.letter, c.size})
			}
		}
	}
	return keys
}

// ordinaryAnswers runs the cells, some processes at a time.
func ordinaryAnswers(t *testing.T) map[answerKey]verdict {
	answers := map[answerKey]verdict{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan answerKey)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for k := range work {
				a := k.ask(t)
				mu.Lock()
				answers[k] = a
				mu.Unlock()
			}
		})
	}
	for _, k := range ordinaryCells() {
		work <- k
	}
	close(work)
	wg.Wait()
	return answers
}

// ask runs a cell in a process, and returns its verdict.
func (k answerKey) ask(t *testing.T) verdict {
	m := &misuses[k.misuse]
	switch {
	case strings.IndexByte(m.spare, k.letter) >= 0:
		return harmless
	case m.want.by == "owner":
		return k.askOften(t)
	}
	return k.askOnce(t)
}

// askOften runs a cell of two goroutines in several processes.
func (k answerKey) askOften(t *testing.T) verdict {
	for range 3 {
		if a := k.askOnce(t); a != always && a != later {
			return byChance
		}
	}
	return asRule
}

// askOnce runs a cell in a process.
func (k answerKey) askOnce(t *testing.T) verdict {
	m := &misuses[k.misuse]
	limit, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	child := exec.CommandContext(limit, os.Args[0], "-test.run=^TestFaultMatrixChild$", "-test.v")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", childVariable, k.misuse, k.letter, k.size), "GOTRACEBACK=none")
	out, err := child.CombinedOutput()
	var check, use verdict
	for line := range strings.Lines(string(out)) {
		what, said, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case ok && what == "check":
			check = verdict(said)
		case ok && what == "use":
			use = verdict(said)
		}
	}
	switch {
	case use == "" && err == nil:
		t.Errorf("the process of %s in kind %c says nothing: %s", m.what, k.letter, out)
	case use == "":
		use = byChance
	}
	if use == never && check == atCheck {
		use = atCheck
	}
	return use
}

// TestFaultMatrixChild is the process of a cell of an ordinary build.
func TestFaultMatrixChild(t *testing.T) {
	var k answerKey
	if _, err := fmt.Sscan(os.Getenv(childVariable), &k.misuse, &k.letter, &k.size); err != nil {
		t.Skip("it is a process of TestFaultMatrix")
	}
	cell := cell{misuse: &misuses[k.misuse], letter: k.letter, size: k.size}
	fmt.Printf("\ncheck: %s\n", cell.ordinary(true))
	fmt.Printf("use: %s\n", cell.ordinary(false))
	os.Exit(0) // the memory may be damaged
}

// ordinary does the misuse in a context that is not checked, and calls Check or goes on.
func (c cell) ordinary(check bool) (a verdict) {
	defer func() {
		if r := recover(); r != nil {
			a = byChance
		}
	}()
	c.begin()
	c.catch(func() { c.do(&c) })
	switch {
	case len(c.faults) > 0 && (c.call == "" || isAt(c.faults[0].Call, c.call, 4)):
		return always
	case len(c.faults) > 0:
		return later
	case check:
		if c.check(); c.silent != nil {
			return atCheck
		}
		return never
	case c.told && strings.Contains(c.want.by, "Leaks"):
		return ifAsked
	}
	ways := []string{"free", "use", "reset", "delete"}
	if c.then == "reset" {
		ways = []string{"reset", "use", "delete"}
	}
	for _, how := range ways {
		if c.mc.Live() && !c.cannot(how) {
			c.catch(func() { goOn[how](&c) })
		}
		if len(c.faults) > 0 {
			return later
		}
	}
	return never
}

// logShare logs how many of the harmful cells of the matrix an ordinary build always notices.
func logShare(t *testing.T, answers map[answerKey]verdict) {
	counts := map[verdict]int{}
	byKind := map[byte][2]int{}
	for k, a := range answers {
		if strings.HasPrefix(misuses[k.misuse].rows, "B") {
			continue
		}
		if counts[a]++; a == harmless {
			continue
		}
		n := byKind[k.letter]
		if n[1]++; a == always || a == asRule || a == later {
			n[0]++
		}
		byKind[k.letter] = n
	}
	noticed := counts[always] + counts[asRule] + counts[later]
	harmful := noticed + counts[atCheck] + counts[byChance] + counts[ifAsked] + counts[never]
	t.Logf("an ordinary build notices %d of %d (%d %%): %d at once, %d as a rule, %d later; %d at Check, %d by chance, %d if asked, %d never; %d do no harm",
		noticed, harmful, 100*noticed/harmful, counts[always], counts[asRule], counts[later], counts[atCheck], counts[byChance], counts[ifAsked], counts[never], counts[harmless])
	for _, letter := range []byte("ASGBH") {
		t.Logf("%s: %d of %d", kindNames[letter], byKind[letter][0], byKind[letter][1])
	}
}
