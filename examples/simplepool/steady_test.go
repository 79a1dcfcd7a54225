package simplepool_test

import (
	"fmt"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/examples/simplepool"
)

// What is held must not depend on how often chunks were allocated and freed. The simple pool does
// not meet this expectation; an AllocSet does.

// An allocator is what a program needs of a pool.
type allocator interface {
	Alloc(size int) []byte
	Free(chunk []byte)
	Held() int
}

// program allocates a hundred chunks and frees them, as often as rounds says. It never has more
// than 6400 bytes in use.
func program(a allocator, rounds int) {
	for range rounds {
		var chunks [100][]byte
		for i := range chunks {
			chunks[i] = a.Alloc(64)
		}
		for _, chunk := range chunks {
			a.Free(chunk)
		}
	}
}

// expectSteady returns an error if the program holds more memory after a hundred rounds than
// after the first.
func expectSteady(a allocator) error {
	program(a, 1)
	first := a.Held()
	program(a, 99)
	if last := a.Held(); last > first {
		return fmt.Errorf("held %d bytes after 1 round, %d after 100", first, last)
	}
	return nil
}

// An allocSet is a context in the place of a Pool.
type allocSet struct{ palloc.Context }

func (mc allocSet) Alloc(size int) []byte { return palloc.MakeSlice[byte](mc.Context, size, size) }
func (mc allocSet) Free(chunk []byte)     { palloc.FreeSlice(chunk) }
func (mc allocSet) Held() int             { return int(mc.Context.Held()) }

func Example_freedChunksServeAgain() {
	fmt.Println("simple pool:", expectSteady(new(simplepool.Pool)))
	mc := palloc.NewAllocSet(palloc.Top(), "same program")
	defer mc.Delete()
	fmt.Println("AllocSet:   ", expectSteady(allocSet{mc}))
	// Output:
	// simple pool: held 8192 bytes after 1 round, 647168 after 100
	// AllocSet:    <nil>
}

func TestWhatTheSimplePoolHoldsGrowsEachRound(t *testing.T) {
	var p simplepool.Pool
	for range 10 {
		before := p.Held()
		program(&p, 10)
		if p.Held() < before+6400*10-2*8192 {
			t.Errorf("ten rounds of 6400 bytes made it hold %d bytes, after %d", p.Held(), before)
		}
	}
	if p.Release(); p.Held() != 0 {
		t.Error("the end of the pool does not end that")
	}
}

func TestWhatAnAllocSetHoldsDoesNotGrow(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "steady")
	defer mc.Delete()
	if err := expectSteady(allocSet{mc}); err != nil {
		t.Error(err)
	}
}
