package palloc_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/kind/conformance/redzone"
	table "github.com/gopalloc/palloc/internal/kind/kinds"
)

// The example of an added kind, used as a program would use it: palloc needs only its line
// in the table of kinds, and its constructor.

func init() { table.Add(redzone.ID, redzone.Methods{}) }

func newRedZone(parent palloc.Context, name string, opts ...palloc.Option) palloc.Context {
	return palloc.NewOfKind(parent, uint64(redzone.ID), name, opts...)
}

func TestKindExampleServesEveryCall(t *testing.T) {
	mc := newRedZone(palloc.Top(), "zoned")
	defer mc.Delete()
	if k := mc.Kind(); k.String() != "RedZone" || !k.Frees() {
		t.Errorf("it is of kind %v, which frees: %v", k, k.Frees())
	}
	for size := range 3000 {
		p := mc.Alloc(size)
		fill := bytesAt(p, size)
		for i := range fill {
			fill[i] = byte(size)
		}
		if size%3 > 0 {
			palloc.FreePointer(p)
		}
	}
	x := palloc.New[[4]uint64](mc)
	x[3] = 5
	array := palloc.Append[int](mc, nil, 1, 2, 3)
	for i := range 1000 {
		array = palloc.Append(mc, array, i)
	}
	b := palloc.NewBuffer(mc)
	for i := range 1000 {
		fmt.Fprint(b, i)
	}
	if aligned := uintptr(mc.AllocAligned(100, 256)); aligned%256 != 0 {
		t.Errorf("an aligned chunk is at %#x", aligned)
	}
	if !strings.HasPrefix(string(b.Bytes()), "0123456789") || len(array) != 1003 || *x != [4]uint64{3: 5} {
		t.Error("a content changed")
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
	if row := palloc.TakeSnapshot(mc).Rows[0]; row.Used == 0 || !strings.HasPrefix(row.String(), "zoned: ") {
		t.Errorf("its row is %+v", row)
	}
	mc.Reset()
	if !mc.IsEmpty() {
		t.Errorf("after the reset: %+v", mc.Stats())
	}
}

func TestKindExampleSaysWhatIsWrong(t *testing.T) {
	mc := newRedZone(palloc.Top(), "zoned")
	defer mc.Delete()
	faults := func(words string, do func()) {
		t.Helper()
		defer func() {
			t.Helper()
			var fault *palloc.Fault
			err, _ := recover().(error)
			if !errors.As(err, &fault) || !strings.Contains(fault.Reason, words) || fault.Context != "Top/zoned" {
				t.Errorf("the fault is %v, and should say %q", err, words)
			}
		}()
		do()
	}
	twice := mc.Alloc(100)
	palloc.FreePointer(twice)
	faults("already free", func() { palloc.FreePointer(twice) })
	over := mc.Alloc(100)
	behind := bytesAt(over, 112)[104:]
	behind[0]++
	faults("the bytes behind the chunk of 104 bytes were overwritten", func() { palloc.FreePointer(over) })
	behind[0]--
	palloc.FreePointer(over)
	mc.Reset()
	faults("taken back when its context was reset", func() { palloc.FreePointer(over) })
}

// TestKindExampleIsCached creates and deletes contexts, which all use one node: the memory
// that one leaves is hidden from the hot path of the next.
func TestKindExampleIsCached(t *testing.T) {
	parent := palloc.NewAllocSet(palloc.Top(), "parent")
	defer parent.Delete()
	for range 1000 {
		mc := newRedZone(parent, "each")
		for i := range 20 {
			palloc.New[[8]uint64](mc)[0] = uint64(i)
		}
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
		mc.Delete()
	}
	mc := newRedZone(parent, "limited")
	mc.SetLimit(64 << 10)
	for i := 0; ; i++ {
		if _, err := mc.TryAlloc(1000); err != nil {
			break
		} else if i > 64 {
			t.Fatal("more than its limit was allocated")
		}
	}
}

// TestKindExampleTouchesThreeFiles checks that outside its folder only three files name the
// kind: a table, a constructor, and a page of documentation.
func TestKindExampleTouchesThreeFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: reads the whole repository")
	}
	var touched []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		switch ext := filepath.Ext(name); {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || d.Name() == "node_modules" || strings.HasSuffix(name, "/redzone")):
			return fs.SkipDir
		case d.IsDir() || ext != ".go" && ext != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), "conformance/redzone") {
			touched = append(touched, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"internal/kind/README.md", "internal/kind/conformance/conformance_test.go", "kind_example_test.go"}
	if slices.Sort(touched); !slices.Equal(touched, want) {
		t.Errorf("the kind is known to %q, and not to %q alone", touched, want)
	}
}
