package backend_test

import (
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The kinds that the format of recordings numbers, and palloc's own.

// TestKindsOfTracesArePallocs: each kind of the format is one of palloc's under the same
// name, and replays as that; and palloc tells programs of kinds that it has. A kind of
// palloc's that no recording has need not be in the format.
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
		pallocs[shown.Name()] = true
	}
	for name := range formats {
		if !pallocs[name] {
			t.Errorf("the format has the kind %s, and palloc has %v", name, pallocs)
		}
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
