package draw_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/draw"
)

// Golden files: pictures of small trees of this process. 'go test ./draw -update' makes them anew.

var update = flag.Bool("update", false, "make the golden files anew")

// fresh are values of a process that has done nothing before: later, contexts begin with blocks that
// earlier ones kept.
var fresh struct {
	small, large palloc.Snapshot
	layout       palloc.Layout
}

func TestMain(m *testing.M) {
	top, last := three()
	fresh.small, fresh.layout = palloc.TakeSnapshot(top), last.Layout()
	top.Delete()
	top = threeHundred()
	fresh.large = palloc.TakeSnapshot(top)
	top.Delete()
	os.Exit(m.Run())
}

// three makes three contexts, of which the last has chunks of each use.
func three() (top, last palloc.Context) {
	top = palloc.NewAllocSet(palloc.Top(), "server")
	top.Alloc(200)
	palloc.NewBump(top, "log").Alloc(3000)
	last = palloc.NewAllocSet(top, "request")
	last.SetIdent("GET /")
	var chunks []unsafe.Pointer
	for _, n := range []int{100, 40, 40, 500, 64, 40, 100, 64, 2000, 30000} {
		chunks = append(chunks, last.Alloc(n))
	}
	for _, i := range []int{1, 3, 5} {
		palloc.FreePointer(chunks[i])
	}
	return top, last
}

// threeHundred makes as many contexts, of which most have names that others have, too.
func threeHundred() (top palloc.Context) {
	top = palloc.NewAllocSet(palloc.Top(), "server")
	for i := range 20 {
		c := palloc.NewAllocSet(top, "connection")
		for range 6 {
			palloc.NewAllocSet(c, "portal").Alloc(1000)
			palloc.NewBump(c, "rows").Alloc(100 * (i + 1))
		}
	}
	caches := palloc.NewAllocSet(top, "caches")
	for i := range 38 {
		palloc.NewGeneration(caches, fmt.Sprintf("cache %d", i)).Alloc(500 * (i + 1))
	}
	return top
}

func TestGolden(t *testing.T) {
	if os.Getenv("PALLOCDEBUG") != "" {
		t.Skip("PALLOCDEBUG is set: checked contexts and guarded chunks have other blocks")
	}
	for _, picture := range []struct {
		name string
		draw func(w *bytes.Buffer) error
	}{
		{"tree-3", func(w *bytes.Buffer) error { return draw.Tree(w, fresh.small, 0) }},
		{"tree-300", func(w *bytes.Buffer) error { return draw.Tree(w, fresh.large, 12) }},
		{"links", func(w *bytes.Buffer) error { return draw.Links(w, fresh.small, 2) }},
		{"blocks", func(w *bytes.Buffer) error { return draw.Blocks(w, fresh.layout) }},
	} {
		var got bytes.Buffer
		if err := picture.draw(&got); err != nil {
			t.Fatal(err)
		}
		wantGolden(t, filepath.Join("testdata", picture.name+".svg"), got.Bytes())
	}
}

// wantGolden compares a picture with a golden file.
func wantGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")) // as git checks out on Windows
	if !bytes.Equal(got, want) {
		t.Errorf("%s on %s is not what is drawn; 'go test ./draw -update' makes it anew. Drawn:\n%s", name, runtime.GOARCH, got)
	}
}

// BenchmarkTree draws 10,000 contexts: of one name, each of its own name in few boxes, and each in
// a box of its own.
func BenchmarkTree(b *testing.B) {
	const contexts = 10_000
	for _, c := range []struct {
		name   string
		format string
		boxes  int
	}{{"folded", "session", 0}, {"trimmed", "session %d", 0}, {"whole", "session %d", contexts}} {
		b.Run(fmt.Sprintf("%s/contexts=%d", c.name, contexts), func(b *testing.B) {
			s := many(contexts, c.format)
			b.ReportAllocs()
			for b.Loop() {
				var w bytes.Buffer
				if err := draw.Tree(&w, s, c.boxes); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(w.Len()))
			}
		})
	}
}

// many returns a snapshot of n contexts on four levels, as TakeSnapshot makes them.
func many(n int, format string) (s palloc.Snapshot) {
	for i := range n {
		name := format
		if format != "session" {
			name = fmt.Sprintf(format, i)
		}
		r := palloc.Row{ID: i + 1, Level: 1, Kind: palloc.KindAllocSet, Name: name,
			Stats: palloc.Stats{Held: int64(1024 * (1 + i%100)), Blocks: 1, Free: 24, Used: int64(1024*(1+i%100) - 24)}}
		if i > 0 {
			parent := &s.Rows[(i-1)/22]
			r.Parent, r.Level = parent.ID, parent.Level+1
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}
