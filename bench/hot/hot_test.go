package hot

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The golden file, testdata/golden.txt, against the machine code as it is today.
//
// Invariant: the file speaks for linux/amd64 and for one minor version of Go,
// which it names; everywhere else the test is skipped, and says so. The code is
// compiled for linux/amd64 on every machine, and run where valgrind can.
// Cost: a build of the program and two short runs of each path: some ten seconds.

var update = flag.Bool("update", false, "rewrite testdata/golden.txt")

const (
	module = "github.com/gopalloc/palloc"
	golden = "testdata/golden.txt"
	header = `# What the hot paths of palloc are compiled to, for linux/amd64 and the Go named below.
#
#   inline FUNCTION         what the inliner charges, of a budget of 80; "called" when it refuses
#   instructions PATH       of one round in paths.go, its loop included
#   locked PATH             of these, those that lock a cache line: atomic swaps, adds and stores
#   inlined FUNCTION        at how many places of paths.go it is inlined
#
# The test fails when a function is called that was inlined, when it is at fewer places,
# when a path takes more instructions by over 5 % and 1, and when it locks more often.
# To renew it: go test ./bench/hot -args -update
#
# The aims, in instructions: bump 17, new 19, pair 40, churn 70, call 300.
`
)

// guarded are the functions of the hot paths, by package.
var guarded = map[string][]string{
	".": {"Context.Alloc", "Context.AllocAligned", "Context.Delete", "Context.Reset", "FreePointer", "FreeString", "NewAllocSet", "Top", "allocByKind", "allocTyped",
		"atHand",
		"bumpConst", "checkLive", "checkLiveAligned", "checkNoPointers", "checkType", "createNew", "followHeader", "freeOther", "freeSlab", "freeWith",
		"matchAllocSet", "newContext", "setConst", "slow"},
	"internal/block":           {"InFirstRegion"},
	"internal/kind":            {"(*Core).ClearDirty", "(*Core).IsClean", "(*Core).Rewind", "Of"},
	"internal/kind/allocset":   {"Aligned", "Alloc", "AllocConst", "Carve", "ClassifyConst", "Hot", "Pop", "PopAligned", "Push", "Take"},
	"internal/kind/bump":       {"Alloc", "AllocConst"},
	"internal/kind/generation": {"Count", "Find", "Free", "Match"},
	"internal/kind/slab":       {"Alloc", "Cut", "Free", "Keep", "Pop", "Sort", "Take", "ToBlock"},
}

// inlinedAt are the functions that the paths call, and the last stages they end in.
var inlinedAt = []string{"palloc.Context.Alloc", "palloc.Context.AllocAligned", "palloc.Free", "palloc.FreePointer", "palloc.New", "palloc.NewUninitialized",
	"palloc.CloneString", "palloc.FreeString", "palloc.NewRef", "palloc.NewText",
	"allocset.Carve", "allocset.Push", "bump.Alloc", "bump.AllocConst"}

// rounds are how often each path runs, and three times that.
var rounds = map[string]int{
	"bump": 1_000_000, "new": 1_000_000, "uncleared": 1_000_000, "newset": 1_000_000, "pair": 1_000_000, "aligned": 1_000_000,
	"churn": 500_000, "queue": 500_000, "call": 100_000, "reset": 1_000_000,
	"zeroed": 500_000, "medium": 200_000, "large": 100_000, "blocks": 10_000, "ident": 100_000, "children": 1_000_000, "shared": 500_000, "checked": 50_000, "sized": 100_000,
	"text": 500_000, "string": 500_000, "ref": 500_000, "vec": 50_000,
}

// entries are lines of the golden file: the first two words, and the rest.
type entries map[string]string

// TestPathsRun also ties the test's result, which the go command keeps, to the
// core's code: all of it that matters is linked into the test.
func TestPathsRun(t *testing.T) {
	for name, run := range Paths {
		if rounds[name] == 0 {
			t.Errorf("%s: nothing says how often to run it", name)
		}
		run(perRound)
	}
}

func TestHotPaths(t *testing.T) {
	skipUnlessPlain(t)
	minor := regexp.MustCompile(`^go\d+\.\d+`).FindString(runtime.Version())
	was, program := read(t), filepath.Join(t.TempDir(), "program")
	if made := was["go version"]; made != minor && !*update {
		t.Skipf("%s was made with %s, and this is %s: renew it with -args -update", golden, made, runtime.Version())
	}
	said := build(t, program)
	if *update {
		if reason := uncountable(); reason != "" {
			t.Fatalf("%s cannot be renewed here: %s", golden, reason)
		}
		is := compiled(said)
		maps.Copy(is, executed(t, program))
		is["go version"] = minor
		write(t, is)
		return
	}
	t.Run("inlining", func(t *testing.T) { compare(t, was.of("inline ", "inlined "), compiled(said)) })
	t.Run("instructions", func(t *testing.T) {
		if reason := uncountable(); reason != "" {
			t.Skip(reason)
		}
		compare(t, was.of("instructions ", "locked "), executed(t, program))
	})
}

// of are the entries of some sections.
func (e entries) of(sections ...string) entries {
	some := maps.Clone(e)
	maps.DeleteFunc(some, func(key, _ string) bool {
		return !slices.ContainsFunc(sections, func(section string) bool { return strings.HasPrefix(key, section) })
	})
	return some
}

// skipUnlessPlain skips where the test would take too long, or cannot build.
func skipUnlessPlain(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds and runs a program")
	}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("-race: the program is built without, and counted in the other legs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
}

// uncountable is why instructions cannot be counted here, "" when they can.
func uncountable() string {
	if at := runtime.GOOS + "/" + runtime.GOARCH; at != "linux/amd64" {
		return "instructions are counted on linux/amd64, and this is " + at
	}
	if _, err := exec.LookPath("valgrind"); err != nil {
		return "valgrind counts the instructions, and is missing: install it"
	}
	return ""
}

// build compiles the program and returns what the compiler says of every package.
func build(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.Command("go", "build", "-gcflags="+module+"/...=-m=2", "-o", program, "./program")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOEXPERIMENT=", "GOFLAGS=")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, unusual(said))
	}
	return string(said)
}

// unusual returns the lines of the compiler's output that are no notes of -m=2: what an
// error says is among them.
func unusual(said []byte) string {
	var lines []string
	for line := range strings.Lines(string(said)) {
		if !note.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

var (
	note        = regexp.MustCompile(`^\s*(\S+:\d+(:\d+)?|<autogenerated>:\d+): |^# `)
	inlined     = regexp.MustCompile(`: can inline (\S+) with (cost \d+) as:`)
	refused     = regexp.MustCompile(`: cannot inline (\S+): `)
	inlinedLine = regexp.MustCompile(`^\.[/\\]paths\.go:\d+:\d+: inlining call to ([^\s\[]+)`)
)

// compiled reads the compiler's words, which are headed by "# PACKAGE".
func compiled(said string) entries {
	costs, places, room := map[string]string{}, map[string]int{}, ""
	for line := range strings.Lines(said) {
		if name, heading := strings.CutPrefix(line, "# "); heading {
			room = strings.TrimSpace(name)
		} else if m := inlined.FindStringSubmatch(line); m != nil {
			costs[path.Base(room)+"."+m[1]] = m[2]
		} else if m := refused.FindStringSubmatch(line); m != nil {
			costs[path.Base(room)+"."+m[1]] = "called"
		} else if m := inlinedLine.FindStringSubmatch(line); m != nil {
			places[m[1]]++
		}
	}
	is := entries{}
	for room, names := range guarded {
		for _, name := range names {
			name = path.Base(path.Join(module, room)) + "." + name
			if cost := costs[name]; cost != "" {
				is["inline "+name] = cost
			}
		}
	}
	for _, name := range inlinedAt {
		is["inlined "+name] = strconv.Itoa(places[name])
	}
	return is
}

// executed counts the instructions of all paths, and those that lock, of a round of each.
func executed(t *testing.T, program string) entries {
	t.Helper()
	is, locks := entries{}, lockAddresses(t, program)
	for name, n := range rounds {
		few, many := run(t, program, name, n), run(t, program, name, 3*n)
		is["instructions "+name] = strconv.Itoa((many.total - few.total + n) / (2 * n))
		is["locked "+name] = strconv.Itoa((many.at(locks) - few.at(locks) + n) / (2 * n))
	}
	return is
}

// compare fails for what became worse, and tells what became different.
func compare(t *testing.T, was, is entries) {
	t.Helper()
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		before, recorded := was[key]
		now, found := is[key]
		switch {
		case alike(key, before, now):
		case !found || !recorded:
			t.Errorf("%s: the golden file has %q, and there is %q: renew it with -args -update", key, before, now)
		case worse(key, before, now):
			t.Errorf("%s: was %s, is %s", key, before, now)
		default:
			t.Logf("%s: was %s, is %s: renew it with -args -update", key, before, now)
		}
	}
}

// worse says whether an entry that changed is to be complained about.
func worse(key, before, now string) bool {
	switch {
	case strings.HasPrefix(key, "inline "):
		return now == "called"
	case strings.HasPrefix(key, "inlined "):
		return number(now) < number(before)
	case strings.HasPrefix(key, "locked "):
		return number(now) > number(before)
	}
	return number(now) > number(before)+slack(before)
}

// alike says whether an entry is the same as before, as far as can be told: the
// runtime's threads take some instructions of their own.
func alike(key, before, now string) bool {
	counted := strings.HasPrefix(key, "instructions ") && before != "" && now != ""
	return before == now || counted && math.Abs(number(now)-number(before)) <= slack(before)
}

// slack is by how much a number of instructions may change.
func slack(before string) float64 { return number(before)*0.05 + 1 }

// number is 0 for what is none.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// read is the golden file; none, to be made, where there is none.
func read(t *testing.T) entries {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	was := entries{}
	for line := range strings.Lines(string(text)) {
		if words := strings.SplitN(strings.TrimSpace(line), " ", 3); len(words) == 3 && words[0] != "#" {
			was[words[0]+" "+words[1]] = words[2]
		}
	}
	return was
}

func write(t *testing.T, is entries) {
	t.Helper()
	text := bytes.NewBufferString(header)
	for _, key := range slices.Sorted(maps.Keys(is)) {
		fmt.Fprintln(text, key, is[key])
	}
	if err := os.WriteFile(golden, text.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
