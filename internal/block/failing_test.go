package block_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Memory that runs out: a source that refuses on demand, between the page heap and the
// system's.

// failing passes calls on to another source, or refuses them.
type failing struct {
	osmem.Source
	commits  int // how many more to allow; negative: all
	reserves int
	bytes    int          // how many more to commit; negative: all
	taken    uintptr      // bytes of address space that are reserved
	discards atomic.Int64 // some come from a goroutine of the page heap

	onDiscard  func(addr, size uintptr) error // called first; on an error nothing is passed on
	onPopulate func(addr, size uintptr)       // called first
	scribbles  bool                           // discarded memory is not zero
}

var system = &failing{commits: -1, reserves: -1, bytes: -1}

func TestMain(m *testing.M) {
	system.Source = osmem.Current()
	osmem.Use(system)
	os.Exit(m.Run())
}

// allowed counts *left down, and reports whether it was not 0.
func allowed(left *int) bool {
	if *left == 0 {
		return false
	}
	*left--
	return true
}

func (f *failing) Commit(addr, size uintptr) error {
	if !allowed(&f.commits) || f.bytes >= 0 && size > uintptr(f.bytes) {
		return osmem.ErrNoMemory
	}
	if f.bytes >= 0 {
		f.bytes -= int(size)
	}
	return f.Source.Commit(addr, size)
}

func (f *failing) Discard(addr, size uintptr) error {
	f.discards.Add(1)
	if f.onDiscard != nil {
		if err := f.onDiscard(addr, size); err != nil {
			return err
		}
	}
	err := f.Source.Discard(addr, size)
	if f.scribbles {
		for i, b := 0, osmem.Bytes(addr, size); i < len(b); i += 256 {
			b[i] = 0xa5
		}
	}
	return err
}

func (f *failing) Populate(addr, size uintptr) {
	if f.onPopulate != nil {
		f.onPopulate(addr, size)
	}
	f.Source.Populate(addr, size)
}

func (f *failing) DiscardZeroes() bool { return f.Source.DiscardZeroes() && !f.scribbles }

func (f *failing) Reserve(size uintptr) (uintptr, error) {
	if !allowed(&f.reserves) {
		return 0, osmem.ErrNoMemory
	}
	addr, err := f.Source.Reserve(size)
	if err == nil {
		f.taken += size
	}
	return addr, err
}

func (f *failing) Release(addr, size uintptr) {
	f.taken -= size
	f.Source.Release(addr, size)
}

// TestRefusedAcquireChangesNothing: each step of an Acquire that needs fresh memory fails
// in turn; the same Acquire succeeds afterwards.
func TestRefusedAcquireChangesNothing(t *testing.T) {
	defer func() { system.commits, system.reserves = -1, -1 }()
	sizes := []uintptr{1 << 10, 40 << 10, 1 << 20, 3 << 20, 9 << 20, 200 << 20}
	if !osmem.Current().DiscardFrees() {
		sizes = sizes[:5] // this source keeps its memory for ever
	}
	for _, size := range sizes {
		refused := 0
		for steps := 0; ; steps++ {
			before := block.ReadStats()
			held := exhaust(t, size)
			system.commits, system.reserves = steps, steps
			addr, got, err := block.Acquire(size)
			system.commits, system.reserves = -1, -1
			if err == nil {
				block.Release(addr, got)
			} else if refused++; !errors.Is(err, osmem.ErrNoMemory) {
				t.Fatalf("Acquire(%d): %v", size, err)
			}
			releaseAll(held)
			if after := block.ReadStats(); after.InUse != before.InUse {
				t.Fatalf("%d bytes in use, %d before an Acquire of %d that returned %v", after.InUse, before.InUse, size, err)
			}
			if err == nil {
				break
			}
		}
		t.Logf("%d bytes: refused %d times", size, refused)
		if refused == 0 && size > 4<<20 {
			t.Errorf("an Acquire of %d bytes never needed the system", size)
		}
	}
}

// exhaust acquires blocks of a size until the next one needs fresh memory.
func exhaust(t *testing.T, size uintptr) (held []run) {
	t.Helper()
	system.commits, system.reserves = 0, 0
	defer func() { system.commits, system.reserves = -1, -1 }()
	for {
		addr, got, err := block.Acquire(size)
		if err != nil {
			return held
		}
		held = append(held, run{addr, got})
	}
}

// TestRefusalsTakeNoAddressSpace: from a system that refuses memory, no more and more
// address space is reserved.
func TestRefusalsTakeNoAddressSpace(t *testing.T) {
	before := system.taken
	for range 50 {
		held := exhaust(t, 1<<20)
		system.commits = 0
		if addr, size, err := block.Acquire(1 << 20); err == nil {
			block.Release(addr, size)
			t.Error("an Acquire that needs fresh memory succeeds without it")
		}
		system.commits = -1
		releaseAll(held)
	}
	if after := system.taken; after != before {
		t.Errorf("%d bytes of address space after the refusals, %d before", after, before)
	}
}

// releaseAll releases all blocks of held.
func releaseAll(held []run) {
	for _, r := range held {
		block.Release(r.addr, r.size)
	}
}
