package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPeerGetsTheFormThatItReads(t *testing.T) {
	list, err := recordings("..", filepath.Join("..", ownRecordings))
	if err != nil || len(list) != 1 {
		t.Fatalf("%d recordings, %v", len(list), err)
	}
	if err := flatten(list, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	peers := []peer{{name: "palloc"}, {name: "postgres", flat: true}}
	tasks := plan([]workload{workloadOf("trace")}, peers, list, 1)[0].workloads[0]
	for i, begins := range []string{"\x1f\x8b", "PFLT1"} {
		args := tasks[i].args()
		if len(args) != 2 || args[0] != "trace" {
			t.Fatalf("%s is started with %q", tasks[i].peer.name, args)
		}
		content, err := os.ReadFile(args[1])
		if err != nil || !strings.HasPrefix(string(content), begins) {
			t.Errorf("%s gets %s, %v, which does not begin with %q", tasks[i].peer.name, args[1], err, begins)
		}
	}
	if name := tasks[0].trace.name(); name != "pgbench_tpcb" {
		t.Errorf("the report calls it %q", name)
	}
	if name := (recording{}).name(); name != "" {
		t.Errorf("no recording is called %q", name)
	}
}
