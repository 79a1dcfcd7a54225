package palloc_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// PALLOCDEBUG=sample=N, which guards single chunks of ordinary contexts: in processes of their own.

// sampledByte keeps the compiler from leaving out a read.
var sampledByte byte

const sampleCase = "PALLOC_TEST_SAMPLE"

// sampling runs a test again in a process that samples.
func sampling(t *testing.T, every string) (isChild bool) {
	t.Helper()
	mustProtect(t)
	if os.Getenv(sampleCase) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Skip("this system does not name the test's own program: ", err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), sampleCase+"=1", "PALLOCDEBUG=sample="+every)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Errorf("%v\n%s", err, out)
	case err != nil:
		t.Skip("this program cannot start itself: ", err)
	}
	return false
}

// TestSampledChunksEndAtAPage: of ten thousand chunks some are guarded, which a read behind the end
// finds, and a read after the reset.
func TestSampledChunksEndAtAPage(t *testing.T) {
	if !sampling(t, "3") {
		return
	}
	mc := palloc.NewAllocSet(palloc.Top(), "sampled")
	over, late := 0, 0
	for range 10_000 {
		p := mc.Alloc(4000) // beyond the hot path's sizes
		f := faultOf(t, func() {
			defer palloc.ExplainFaults()()
			sampledByte = *(*byte)(unsafe.Add(p, 4000))
		})
		if f == nil {
			continue
		}
		if over++; f.Mistake != palloc.Overflow || f.Context != "Top/sampled" || len(f.Made) == 0 {
			t.Fatalf("the Fault is %+v", f)
		}
		mc.Reset()
		f = faultOf(t, func() {
			defer palloc.ExplainFaults()()
			sampledByte = *(*byte)(p)
		})
		if f != nil && f.Mistake == palloc.AccessAfterEnd {
			late++
		}
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
	}
	mc.Delete()
	if over < 1000 || late != over {
		t.Errorf("%d of 10,000 chunks ended at a page, and %d were protected after the reset", over, late)
	}
}

// TestSampledChunksAreOrdinaryOnes: what is done to chunks does not depend on which are guarded.
func TestSampledChunksAreOrdinaryOnes(t *testing.T) {
	if !sampling(t, "2") {
		return
	}
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		mc := newKind(newRoot(t), k, "c", 0)
		for size := 1; size < 9000; size += 97 {
			p := mc.Alloc(size)
			scribble(bytesAt(p, size), size)
			if palloc.ContextOf(p) != mc || palloc.UsableSize(p) < size || palloc.Footprint(p) < size {
				t.Fatalf("a chunk of %d bytes has %d in %q", size, palloc.UsableSize(p), palloc.ContextOf(p).Path())
			}
			if mc.IsEmpty() {
				t.Fatal("a context with a chunk is empty")
			}
			p = palloc.Realloc(p, 2*size)
			if !scribbled(bytesAt(p, size), size) {
				t.Fatalf("Realloc of %d bytes lost some", size)
			}
			s := palloc.MakeSlice[byte](mc, size, size)
			scribble(s, size)
			s = palloc.Append(mc, s, s...)
			if !scribbled(s[:size], size) {
				t.Fatalf("Append to %d bytes lost some", size)
			}
			b := palloc.NewBuffer(mc)
			b.Write(s)
			b.Write(s)
			if b.Len() != 4*size || !scribbled(b.Bytes()[:size], size) {
				t.Fatalf("a Buffer lost some of %d bytes", size)
			}
			b.Free()
			palloc.FreeSlice(s)
			palloc.FreePointer(p)
			wantFault(t, func() { palloc.FreePointer(p) }, "FreePointer", "Top/test/c", "already free")
			if err := mc.Check(); err != nil {
				t.Fatal(err)
			}
		}
		mc.Reset()
		if !mc.IsEmpty() || mc.Held() > 8<<10 {
			t.Errorf("after the reset %d bytes are held", mc.Held())
		}
	}
}

// TestASampledChunkNamesItsOwnContext, not the one whose node its context has now.
func TestASampledChunkNamesItsOwnContext(t *testing.T) {
	if !sampling(t, "1") {
		return
	}
	palloc.NewAllocSet(palloc.Top(), "former", palloc.Checked()).Delete()
	mc := palloc.NewAllocSet(palloc.Top(), "sampled")
	p := mc.Alloc(5000)
	mc.Delete()
	if f := faultOf(t, func() { palloc.FreePointer(p) }); f == nil || f.Context != "sampled" {
		t.Errorf("a free after the deletion is found as %v", f)
	}
}
