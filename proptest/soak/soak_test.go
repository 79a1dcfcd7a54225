package main

import (
	"os"
	"testing"
	"time"

	"github.com/gopalloc/palloc/internal/process"
)

// TestSoak works for 20 seconds, or for as long as PALLOC_SOAK says: PALLOC_SOAK=3m.
func TestSoak(t *testing.T) {
	long := 20 * time.Second
	if asked := os.Getenv("PALLOC_SOAK"); asked != "" {
		var err error
		if long, err = time.ParseDuration(asked); err != nil {
			t.Fatalf("PALLOC_SOAK: %v", err)
		}
	} else if testing.Short() {
		t.Skip("-short: works for 20 seconds")
	}
	if _, ok := process.ResidentBytes(); !ok {
		t.Skip("this system does not tell what is resident")
	}
	v, err := (&soak{long: long, seed: uint64(time.Now().UnixNano())}).run()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(v)
	if !v.ok() {
		t.Error("what is resident rose, or something was wrong")
	}
}

func TestWorkersFindNothingWrong(t *testing.T) {
	if _, ok := process.ResidentBytes(); !ok {
		t.Skip("this system does not tell what is resident")
	}
	v, err := (&soak{long: 3 * time.Second, seed: 1}).run()
	switch {
	case err != nil:
		t.Fatal(err)
	case v.wrong != nil:
		t.Error(v.wrong)
	case v.done.rounds.Load() < workers || v.done.handed.Load() == 0 || v.done.pressures.Load() == 0:
		t.Errorf("did little: %v", &v.done)
	}
}

func TestAVerdictComparesWithTheWarmUp(t *testing.T) {
	for _, c := range []struct {
		warm, later int64
		ok          bool
	}{{1000, 1010, true}, {1000, 1011, false}, {1000, 900, true}, {0, 1000, false}, {1000, 0, false}} {
		v := &verdict{long: time.Hour}
		v.add(time.Minute, c.warm, 0)
		v.add(2*time.Minute, c.warm/2, 0)
		v.add(30*time.Minute, c.later, 0)
		v.add(40*time.Minute, c.later/2, 0)
		if v.ok() != c.ok {
			t.Errorf("after %d in the warm-up, %d is: %v", c.warm, c.later, v)
		}
	}
}

func TestAChangedChunkIsNoticed(t *testing.T) {
	for _, size := range []int{1, 7, 8, 100, 5000} {
		for _, i := range []int{0, size - 1} {
			c := newChunk(make([]byte, size), 0x0123456789abcdef)
			if at := c.differs(); at >= 0 {
				t.Fatalf("%d bytes: byte %d differs", size, at)
			}
			c.bytes[i]++
			if c.differs() < 0 && (size >= 8 || i == 0) {
				t.Errorf("%d bytes: a change of byte %d is not noticed", size, i)
			}
		}
	}
}
