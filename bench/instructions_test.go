package main

import (
	"bytes"
	"strings"
	"testing"
)

// The recordings of one operation each. What palloc takes for them is guarded by
// bench/hot, which has the same operations as loops.

func TestUnitsAreRecordings(t *testing.T) {
	for _, u := range units {
		recorded, err := u.recording()
		if err != nil {
			t.Errorf("%s: %v", u.name, err)
			continue
		}
		if n := recorded.Replayed(); n < 2 || u.name != units[0].name && n < unitRounds {
			t.Errorf("%s has %d operations, of %d rounds", u.name, n, unitRounds)
		}
	}
}

func TestInstructionsRefusesArguments(t *testing.T) {
	var out, said bytes.Buffer
	status := run([]string{"instructions", "x"}, &out, &said)
	if status != statusUsage || out.Len() > 0 || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), "takes no arguments") {
		t.Errorf("status %d, printed %q, complained %q; want %d and one line", status, out.String(), said.String(), statusUsage)
	}
}
