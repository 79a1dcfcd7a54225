package relaxed_test

import (
	"runtime"
	"testing"

	"github.com/gopalloc/palloc/internal/relaxed"
)

//go:noinline
func set(p *uint64, v uint64) { relaxed.Store64(p, v) }

// TestNoReaderSeesHalfAStore: a word of 64 bits is one word, also where words have 32.
func TestNoReaderSeesHalfAStore(t *testing.T) {
	var word uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10_000_000 {
			set(&word, 0)
			set(&word, 1<<63|1)
		}
	}()
	for {
		select {
		case <-done:
			return
		default:
			runtime.Gosched() // WebAssembly has one thread, and takes it from no goroutine
		}
		for range 1000 {
			if v := relaxed.Load64(&word); v != 0 && v != 1<<63|1 {
				t.Fatalf("0 and 1<<63|1 were stored, and %#x was read", v)
			}
		}
	}
}
