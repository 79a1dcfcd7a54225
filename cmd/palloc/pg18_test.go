package main_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Replays beside PostgreSQL 18: on a fake program, which is this test's own, and on the
// true one where there is one.

// fakeLog names the file to which the fake program appends what it was asked. Where it is
// set, the program of the tests is the fake.
const fakeLog = "PALLOC_FAKE_PG18"

// fakePG18 does what PostgreSQL 18's program does, but that the figures are made up: three
// passes a run, the warm one of 5, 6, 7 ... ns in the first, second, third run.
func fakePG18(log string) (status int) {
	past, _ := os.ReadFile(log)
	workload, file := os.Args[2], os.Args[3]
	data, err := os.ReadFile(file)
	if err != nil || os.Args[1] != "allocset" || len(data) < 64 || string(data[:5]) != "PFLT1" {
		fmt.Fprintf(os.Stderr, "fake: %q cannot be run: %v\n", os.Args[1:], err)
		return 1
	}
	past = fmt.Appendf(past, "%s of %d ops in %s\n", workload, binary.LittleEndian.Uint64(data[40:]), file)
	if err := os.WriteFile(log, past, 0o666); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	run := strings.Count(string(past), workload+" of")
	switch workload {
	case "passes-2":
		fmt.Println(`{"passes":2,"ops":0}`)
	case "trace":
		fmt.Printf(`{"ns":%d,"cold":%d.5,"passes":3}`+"\n", 4+run, 20+run)
	case "trace-floor":
		fmt.Println(`{"ns":2,"cold":3,"passes":900}`)
	case "trace-touched":
		if strings.Contains(log, "untold") {
			return 1
		}
		fmt.Println(`{"resident":1048576}`)
	}
	return 0
}

// beFake makes this test's program the fake one, with a log of that name, and returns both.
func beFake(t *testing.T, name string) (fake, log string) {
	t.Helper()
	fake, err := os.Executable()
	if err != nil {
		t.Skip("the system does not tell where the program is:", err)
	}
	log = filepath.Join(t.TempDir(), name)
	t.Setenv(fakeLog, log)
	return fake, log
}

// resultsOf returns the lines of JSON, by back end.
func resultsOf(t *testing.T, o outcome) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, line := range o.lines() {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q is no JSON object: %v", line, err)
		}
		all[r["backend"].(string)] = r
	}
	return all
}

func TestPG18JSONHasMediansOfItsRuns(t *testing.T) {
	fake, log := beFake(t, "log")
	o := palloc(t, "replay", "-json", "-passes", "7", "-backend", "floor", "-pg18", fake)
	o.wantClean(t)
	all := resultsOf(t, o)
	for backend, want := range map[string]map[string]any{
		"pg18":       {"cold_ns_per_op": 22.5, "warm_ns_per_op": 6., "passes": 9., "peak_rss_bytes": 1048576.},
		"pg18-floor": {"cold_ns_per_op": 3., "warm_ns_per_op": 2., "passes": 900., "peak_rss_bytes": nil},
	} {
		for key, value := range want {
			if got := all[backend][key]; got != value {
				t.Errorf("%s of %s is %v, want %v", key, backend, got, value)
			}
		}
		for key, value := range all["floor"] {
			if got, known := all[backend][key]; !known || (key == "ops" || key == "trace" || key == "live_peak_bytes") && got != value {
				t.Errorf("%s of %s is %v, and %v of the floor", key, backend, got, value)
			}
		}
	}
	wantRuns(t, log, "passes-2 of 0", "trace of 449780", "trace of 449780", "trace of 449780", "trace-touched of 449780", "trace-floor of 449780")
}

// wantRuns wants the fake to have had these workloads, of files that are gone.
func wantRuns(t *testing.T, log string, want ...string) {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		run, file, _ := strings.Cut(line, " ops in ")
		got = append(got, run)
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s is left behind (%v)", file, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the program ran %q, want %q", got, want)
	}
}

func TestPG18HasRowsOfTheTable(t *testing.T) {
	fake, _ := beFake(t, "log")
	o := palloc(t, "replay", "-passes", "2", "-pg18", fake)
	o.wantClean(t)
	if got, want := o.lines()[2], "PostgreSQL 18 takes 5.0 ns/op warm; of that, 2.0 ns/op are its replay's own"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
	for _, want := range []string{
		`(?m)^floor .*\npg18 +21\.5 ns/op +5\.0 ns/op +0\.0 ns/op +1\.0 MiB +3$`,
		`(?m)^pg18-floor +3\.0 ns/op +2\.0 ns/op +0\.0 ns/op +- +900$`,
		`(?m)^palloc/goheap .*\npalloc/pg18 +[0-9.]+x +[0-9.]+x +- +(-|[0-9.]+x)\n\n?$`,
	} {
		if !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Errorf("nothing matches %s in\n%s", want, o.stdout)
		}
	}
}

func TestPG18NeedNotTellResidentMemory(t *testing.T) {
	fake, _ := beFake(t, "untold")
	o := palloc(t, "replay", "-json", "-passes", "2", "-backend", "floor", "-pg18", fake)
	o.wantClean(t)
	if r := resultsOf(t, o)["pg18"]; r["peak_rss_bytes"] != nil || r["warm_ns_per_op"] != 5. {
		t.Errorf("the result is %v, want times and a null", r)
	}
}

func TestPG18Bad(t *testing.T) {
	beFake(t, "log") // the program itself as PATH: not the fake, and it wants other words
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"missing", []string{"-pg18", "no/such"}, "no"},
		{"a folder", []string{"-pg18", "recording"}, "recording"},
		{"no program", []string{"-pg18", "main.go"}, "main.go"},
		{"another program", []string{"-pg18", program}, "failed"},
		{"empty", []string{"-pg18", ""}, "empty"},
		{"with -verify", []string{"-verify", "-pg18", program}, "-verify"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := palloc(t, append([]string{"replay"}, c.args...)...)
			o.wantComplaint(t, 2, "-pg18", c.says)
			if o.stdout != "" {
				t.Errorf("standard output is %q, want nothing", o.stdout)
			}
		})
	}
}

func TestPG18True(t *testing.T) {
	const variable = "PALLOC_PG18"
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s names no program; bench/pg18/build makes one", variable)
	}
	o := palloc(t, "replay", "-json", "-passes", "3", "-pg18", path)
	o.wantClean(t)
	if len(o.lines()) != 5 {
		t.Fatalf("%d lines, want one for each back end:\n%s", len(o.lines()), o.stdout)
	}
	for i, backend := range []string{"palloc", "goheap", "floor", "pg18", "pg18-floor"} {
		wantResult(t, o.lines()[i], backend)
	}
	all := resultsOf(t, o)
	if own, floor := all["pg18"]["warm_ns_per_op"].(float64), all["pg18-floor"]["warm_ns_per_op"].(float64); own <= floor {
		t.Errorf("PostgreSQL takes %v ns an operation, its floor %v", own, floor)
	}
	if resident, ok := all["pg18"]["peak_rss_bytes"].(float64); ok && resident < embeddedBytes {
		t.Errorf("%v bytes are resident, and %d live", resident, embeddedBytes)
	}
}
