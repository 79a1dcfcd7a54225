package hot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Runs of the program under callgrind: how often each instruction is executed.
//
// Invariant: the program is not relocated, so that the addresses in a profile are those of the
// disassembly. Cost: a run takes some fifty times as long as without.

// profile is what one run executed.
type profile struct {
	total int
	by    map[uint64]int // by address
}

// at returns how many of the instructions at some addresses were executed.
func (p profile) at(addresses []uint64) (n int) {
	for _, a := range addresses {
		n += p.by[a]
	}
	return n
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// attempts is how often a program is started under valgrind, which does not know RDTSCP: a
// Go program dies of it when its runtime measures how long a thread waited.
const attempts = 20

// run runs so many rounds of a path, the program's start included.
func run(t *testing.T, program, path string, rounds int) profile {
	t.Helper()
	// Not /dev/null: for root, valgrind would replace the device by a file.
	file := filepath.Join(t.TempDir(), "profile")
	var said []byte
	var err error
	for range attempts {
		cmd := exec.Command("valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--compress-strings=no",
			"--callgrind-out-file="+file, program, path, strconv.Itoa(rounds))
		cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
		said, err = cmd.CombinedOutput()
		if !bytes.Contains(said, []byte("Unrecognised instruction")) {
			break
		}
	}
	m := collected.FindSubmatch(said)
	if err != nil || m == nil {
		t.Fatalf("%s %d under valgrind: %v\n%s", path, rounds, err, said)
	}
	total, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return profile{total, readProfile(t, file)}
}

// readProfile reads the lines "0xADDRESS LINE COUNT". The one after "calls=" has what the
// called function executed, which has lines of its own.
func readProfile(t *testing.T, file string) map[uint64]int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	by, called := map[uint64]int{}, false
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); !called && len(words) == 3 && strings.HasPrefix(line, "0x") {
			address, err1 := strconv.ParseUint(words[0], 0, 64)
			n, err2 := strconv.Atoi(words[2])
			if err1 != nil || err2 != nil {
				t.Fatalf("%s: cannot read %q", file, line)
			}
			by[address] += n
		}
		called = strings.HasPrefix(line, "calls=")
	}
	return by
}

// locking matches a line of the disassembly whose instruction locks a cache line: one with the
// prefix, or an exchange with memory, which needs none.
var locking = regexp.MustCompile(`^\s*\S+:\d+\s+(0x[0-9a-f]+)\s+[0-9a-f]+\s+(?:LOCK |XCHG[BWLQ] .*\()`)

// lockAddresses returns the addresses of the instructions that lock.
func lockAddresses(t *testing.T, program string) (list []uint64) {
	t.Helper()
	text, err := exec.Command("go", "tool", "objdump", program).Output()
	if err != nil {
		t.Fatal("go tool objdump: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if m := locking.FindStringSubmatch(line); m != nil {
			address, err := strconv.ParseUint(m[1], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, address)
		}
	}
	if len(list) == 0 {
		t.Fatal("the disassembly has no instruction that locks")
	}
	return list
}
