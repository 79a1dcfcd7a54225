package hashmap_test

import (
	"errors"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// An insert that is refused memory leaves the map as it was, at each of its allocations.

// refusing calls try under limits from what is held now upward, until it succeeds. It calls whole
// after each refusal, and returns how many there were.
func refusing(t *testing.T, mc palloc.Context, op string, try func() error, whole func()) (refused int) {
	t.Helper()
	const step = 2 << 10
	for limit := max(1, mc.Held()); ; limit += step {
		mc.SetLimit(limit)
		err := try()
		mc.SetLimit(palloc.NoLimit)
		if err == nil {
			return refused
		}
		var out *palloc.OutOfMemoryError
		if !errors.As(err, &out) || out.Op != op {
			t.Fatalf("the error is %v, want an OutOfMemoryError of %s", err, op)
		}
		refused++
		whole()
	}
}

func TestARefusedInsertLeavesTheMapWhole(t *testing.T) {
	const most = 12_000
	mc := palloctest.New(t, palloctest.Unchecked())
	m, total := hashmap.New[uint64, uint64](mc, 0), 0
	for k := range uint64(most) {
		total += refusing(t, mc, "hashmap.Map.TryPut", func() error { return m.TryPut(k, k+1) }, func() {
			if m.Len() != int(k) || m.Has(k) {
				t.Fatalf("with %d entries, a refusal leaves %d, and Has returns %v", k, m.Len(), m.Has(k))
			}
			for i := range k {
				if v, found := m.Get(i); v != i+1 || !found {
					t.Fatalf("with %d entries, a refusal leaves %d: %d, %v", k, i, v, found)
				}
			}
		})
	}
	if total < 50 {
		t.Errorf("%d refusals, want one for each allocation", total)
	}
	m.Free()
}

func TestARefusedInsertLeavesStringsWhole(t *testing.T) {
	const most = 5000
	mc := palloctest.New(t, palloctest.Unchecked())
	m, total := hashmap.NewStrings[uint64](mc, 0), 0
	for k := range uint32(most) {
		total += refusing(t, mc, "hashmap.Strings.TryPut", func() error { return m.TryPut(key(k), uint64(k)) }, func() {
			if m.Len() != int(k) || m.Has(key(k)) {
				t.Fatalf("with %d entries, a refusal leaves %d, and Has returns %v", k, m.Len(), m.Has(key(k)))
			}
		})
	}
	if total < 50 {
		t.Errorf("%d refusals, want one for each allocation", total)
	}
	m.Free() // palloctest finds a key that a refusal left
}

// TestARefusedNewLeavesNothing refuses each allocation of maps with room for many.
func TestARefusedNewLeavesNothing(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	for _, capacity := range []int{10, 1000, 10_000} {
		refused := refusing(t, mc, "hashmap.New", func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = r.(error)
				}
			}()
			hashmap.New[uint64, uint64](mc, capacity).Free()
			return nil
		}, func() {
			if !mc.IsEmpty() {
				t.Fatalf("a New for %d entries that is refused leaves chunks", capacity)
			}
		})
		if refused == 0 && capacity > 10 { // a block that the node kept may have room for few
			t.Errorf("a New for %d entries is never refused", capacity)
		}
	}
}

// TestPutPanicsWithTheError: as other functions without Try do.
func TestPutPanicsWithTheError(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.New[uint64, [1000]uint64](mc, 0)
	mc.SetLimit(1)
	for op, call := range map[string]func(){
		"hashmap.Map.Put":   func() { m.Put(1, [1000]uint64{}) },
		"hashmap.Map.Entry": func() { m.Entry(1) },
	} {
		func() {
			defer func() {
				if out, ok := recover().(*palloc.OutOfMemoryError); !ok || out.Op != op {
					t.Errorf("%s panics with %v", op, out)
				}
			}()
			call()
			t.Errorf("%s does not panic", op)
		}()
	}
}

// TestACallbackMayDelete: a cache frees memory by deleting from the map that is growing.
func TestACallbackMayDelete(t *testing.T) {
	top := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.NewStrings[[8]byte](top, 0)
	called := 0
	top.OnPressure(func(palloc.Pressure) error {
		called++
		for k := range m.Keys() {
			m.Delete(k)
			if m.Len()%2 == 0 {
				break
			}
		}
		top.Compact()
		return nil
	})
	top.SetLimit(256 << 10)
	put := 0
	for k := range uint32(20_000) {
		if m.TryPut(key(k), [8]byte{}) == nil {
			put++
		}
		if k%1000 == 0 && called > 0 {
			n := 0
			for range m.All() {
				n++
			}
			if n != m.Len() {
				t.Fatalf("a loop returns %d entries of %d", n, m.Len())
			}
		}
	}
	if called == 0 || put < 1000 {
		t.Errorf("%d calls, %d entries", called, put)
	}
	m.Free()
}

// TestDeletedEntriesMakeRoomWithoutMemory changes the keys of a map that can grow no more.
func TestDeletedEntriesMakeRoomWithoutMemory(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	mc.SetLimit(20 << 10)
	m := hashmap.New[uint64, uint64](mc, 0)
	next := uint64(0)
	put := func() error { next++; return m.TryPut(next, next) }
	for put() == nil {
	}
	oldest := uint64(1)
	remove := func() { m.Delete(oldest); oldest++ }
	for range m.Len() / 8 {
		remove()
	}
	for range 10_000 {
		if err := put(); err != nil {
			t.Fatalf("with %d entries, and an eighth deleted: %v", m.Len(), err)
		}
		remove()
	}
	m.Free()
}
