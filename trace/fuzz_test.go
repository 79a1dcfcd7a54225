package trace_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// FuzzRead: the reader never panics, refuses with a *FormatError, and whatever
// it accepts it can write, read back and replay with every check passed.
func FuzzRead(f *testing.F) {
	whole := plain(f, sample(f))
	f.Add(whole)
	f.Add(zipped(f, sample(f)))
	f.Add(plain(f, trace.NewRecorder().Trace()))
	for n := 0; n < len(whole); n += 7 {
		f.Add(whole[:n])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := trace.Read(bytes.NewReader(data))
		if bad := new(trace.FormatError); err != nil && !errors.As(err, &bad) {
			t.Fatalf("the error is %v, want a *FormatError", err)
		}
		if err != nil {
			return
		}
		wantSame(t, readBack(t, plain(t, tr)), tr)
		if tr.Largest() < 1<<16 && tr.Counts().PeakBytes < 1<<20 {
			wantVerified(t, tr, &honest{})
		}
	})
}
