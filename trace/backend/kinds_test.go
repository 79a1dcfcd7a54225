package backend_test

import (
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The kinds that the format of recordings numbers, and palloc's own.

// TestKindsOfTracesArePallocs: the format has each kind that a program can be told of,
// under its name, and no other; and each replays as the kind of that name.
func TestKindsOfTracesArePallocs(t *testing.T) {
	formats := map[string]bool{}
	for k := trace.Kind(0); k.String() != "unknown kind"; k++ {
		formats[k.String()] = true
	}
	pallocs := map[string]bool{}
	for id, m := range kinds.Methods {
		if m == nil {
			continue
		}
		shown := kinds.Methods[m.Traits().ShownAs]
		if shown == nil {
			t.Fatalf("kind %d, %s, is shown as kind %d, which is none", id, m.Name(), m.Traits().ShownAs)
		}
		if pallocs[shown.Name()] = true; !formats[shown.Name()] {
			t.Errorf("a program is told of the kind %s, which the format of recordings has not got", shown.Name())
		}
	}
	if len(formats) != len(pallocs) {
		t.Errorf("the format has the kinds %v, and palloc %v", formats, pallocs)
	}

	tr := family(t)
	b := new(backend.Palloc)
	b.Begin(tr)
	defer b.End()
	b.Play(tr.Ops())
	rows := palloc.TakeSnapshot(b.Root()).Rows[1:]
	if len(rows) != len(formats) {
		t.Fatalf("%d kinds replay as %d contexts", len(formats), len(rows))
	}
	for i, row := range rows {
		if want := tr.Context(uint32(i)).Kind.String(); row.Kind.String() != want {
			t.Errorf("a context that was recorded as %s replays as %v", want, row.Kind)
		}
	}
}
