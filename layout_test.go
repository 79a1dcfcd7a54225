package palloc_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Layouts: each chunk has a part of a block, in contexts of all kinds; and what JSON makes of a
// layout and of a snapshot.

// tally is the number of parts of each use.
func tally(l palloc.Layout) (n map[palloc.PartUse]int, held, free int64) {
	n = map[palloc.PartUse]int{}
	for _, b := range l.Blocks {
		held += b.Size
		for _, p := range b.Parts {
			n[p.Use]++
			if p.Use != palloc.PartHead && p.Use != palloc.PartLive {
				free += p.Size
			}
		}
	}
	return n, held, free
}

// has reports whether a part serves for a use.
func has(l palloc.Layout, use palloc.PartUse) bool {
	n, _, _ := tally(l)
	return n[use] > 0
}

// wantTouching checks that the parts of each block add up to it.
func wantTouching(t *testing.T, l palloc.Layout) {
	t.Helper()
	for i, b := range l.Blocks {
		sum := int64(0)
		for _, p := range b.Parts {
			sum += p.Size
		}
		if sum != b.Size {
			t.Errorf("block %d of %s has %d bytes, and its parts %d", i, l.Path, b.Size, sum)
		}
	}
}

func TestALayoutHasEachChunk(t *testing.T) {
	const made, freed, size = 300, 100, 64
	for _, k := range kinds {
		for name, options := range map[string][]palloc.Option{"": nil, "checked ": {palloc.Checked()}, "shared ": {palloc.Shared()}} {
			if len(options) > 0 && name == "shared " && k != palloc.KindAllocSet {
				continue
			}
			t.Run(name+k.String(), func(t *testing.T) {
				mc := newRoot(t)
				switch k {
				case palloc.KindAllocSet:
					mc = palloc.NewAllocSet(mc, "x", options...)
				case palloc.KindSlab:
					mc = palloc.NewSlab(mc, "x", size, options...)
				case palloc.KindGeneration:
					mc = palloc.NewGeneration(mc, "x", options...)
				case palloc.KindBump:
					mc = palloc.NewBump(mc, "x", options...)
				}
				if l := mc.Layout(); has(l, palloc.PartLive) { // it may have a block that an earlier context kept
					t.Errorf("a context without a chunk has the layout %+v", l)
				}
				var chunks []unsafe.Pointer
				for range made {
					chunks = append(chunks, mc.Alloc(size))
				}
				if k.Frees() {
					for i := range freed {
						palloc.FreePointer(chunks[3*i])
					}
				}
				wantLayout(t, mc, made, freed)
			})
		}
	}
}

// wantLayout checks the layout of a context in which chunks were made and freed.
func wantLayout(t *testing.T, mc palloc.Context, made, freed int) {
	t.Helper()
	l := mc.Layout()
	wantTouching(t, l)
	n, held, free := tally(l)
	s := mc.Stats()
	if l.Path != mc.Path() || l.Kind != mc.Kind() || held != s.Held || int64(len(l.Blocks)) != s.Blocks {
		t.Errorf("the layout of the %s %s has %d bytes in %d blocks; the context is %s, with %+v", l.Kind, l.Path, held, len(l.Blocks), mc.Path(), s)
	}
	if !l.Kind.Frees() && !mc.IsChecked() {
		if n[palloc.PartLive] != len(l.Blocks) {
			t.Errorf("in %d blocks without headers are %v", len(l.Blocks), n)
		}
		return
	}
	if !l.Kind.Frees() {
		freed = 0
	}
	for _, b := range l.Blocks {
		for _, p := range b.Parts {
			if p.Use == palloc.PartLive && p.Size < 64+8 { // with a header
				t.Errorf("a chunk of 64 bytes has a part of %d", p.Size)
			}
		}
	}
	if n[palloc.PartLive] != made-freed || n[palloc.PartFreed]+n[palloc.PartJoined] < freed {
		t.Errorf("%d chunks were made and %d freed, and the layout has %v; the statistics are %+v", made, freed, n, s)
	}
	if free != s.Free && !mc.IsChecked() {
		t.Errorf("%d bytes of the layout are free, and the statistics say %d", free, s.Free)
	}
}

func TestALayoutHasLargeJoinedAndAlignedChunks(t *testing.T) {
	mc := newRoot(t)
	if mc.IsChecked() {
		t.Skip("a checked context joins no chunks, and its blocks are of another form")
	}
	mc.Alloc(100_000)
	var chunks []unsafe.Pointer
	for range 100 {
		chunks = append(chunks, mc.Alloc(40))
	}
	mc.AllocAligned(64, 64)
	for _, c := range chunks[10:90] {
		palloc.FreePointer(c)
	}
	mc.Compact()
	l := mc.Layout()
	wantTouching(t, l)
	n, _, free := tally(l)
	if n[palloc.PartJoined] == 0 || n[palloc.PartLive] != 22 || free != mc.Stats().Free {
		t.Errorf("the layout has %v and %d free bytes; the statistics are %+v", n, free, mc.Stats())
	}
	last := l.Blocks[len(l.Blocks)-1]
	if !last.Large || len(last.Parts) != 2 || last.Parts[1].Use != palloc.PartLive || last.Parts[1].Size < 100_000 {
		t.Errorf("the block of the large chunk is %+v", last)
	}
}

// wantSame checks that a value is read from JSON as it was written.
func wantSame[T any](t *testing.T, v T) (text string) {
	t.Helper()
	written, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read T
	if err := json.Unmarshal(written, &read); err != nil {
		t.Fatalf("%v in %s", err, written)
	}
	if !reflect.DeepEqual(read, v) {
		t.Errorf("written\n%+v\nread\n%+v", v, read)
	}
	return string(written)
}

func TestASnapshotIsItsJSON(t *testing.T) {
	mc := newRoot(t)
	for _, k := range kinds {
		c := newKind(mc, k, fmt.Sprintf("<%s & \"kin\">", k), 100)
		c.Alloc(100)
		c.SetIdent("line\n\x01\u2028")
	}
	s := palloc.TakeSnapshot(mc)
	s.Time = s.Time.Round(0).UTC() // without the clock of this process
	text := wantSame(t, s)
	for _, k := range kinds {
		if !strings.Contains(text, `"Kind":"`+k.String()+`"`) {
			t.Errorf("%s is not in %s", k, text)
		}
	}
	wantSame(t, mc.Layout())
	wantSame(t, palloc.Row{})
	var k palloc.Kind
	if err := json.Unmarshal([]byte(`"Heap"`), &k); err == nil || k != 0 {
		t.Errorf("a name that no kind has is read as %v: %v", k, err)
	}
}
