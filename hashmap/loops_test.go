package hashmap_test

import (
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// Loops over maps that change meanwhile.

func filled(t *testing.T, n uint64) *hashmap.Map[uint64, uint64] {
	m := hashmap.New[uint64, uint64](palloctest.New(t, palloctest.AllowChunks()), 0)
	for k := range n {
		m.Put(k, k)
	}
	return m
}

// wantFault requires a panic with a Fault that says so.
func wantFault(t *testing.T, op, reason string, call func()) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		f := palloc.AsFault(r)
		if f == nil || f.Op != op || !strings.Contains(f.Reason, reason) {
			t.Errorf("%s panics with %v, want a Fault that says %q", op, r, reason)
		}
	}()
	call()
}

func TestALoopMayDelete(t *testing.T) {
	const n = 5000
	for name, other := range map[string]func(k uint64) uint64{
		"the entry itself":  func(k uint64) uint64 { return k },
		"another":           func(k uint64) uint64 { return k ^ 1 },
		"one that is there": func(k uint64) uint64 { return k / 2 },
	} {
		m, seen, gone := filled(t, n), map[uint64]bool{}, map[uint64]bool{}
		for k, v := range m.All() {
			if v != k || seen[k] || gone[k] {
				t.Fatalf("%s: the loop returns %d, %d; seen %v, deleted %v", name, k, v, seen[k], gone[k])
			}
			seen[k], gone[other(k)] = true, true
			m.Delete(other(k))
		}
		for k := range uint64(n) {
			if !seen[k] && !gone[k] {
				t.Fatalf("%s: the loop does not return %d", name, k)
			}
		}
	}
}

func TestALoopMayChangeValues(t *testing.T) {
	m := filled(t, 3000)
	for k := range m.All() {
		m.Put(k, k+1)
		*m.Ref(k)++
	}
	for k, v := range m.All() {
		if v != k+2 {
			t.Fatalf("%d has %d", k, v)
		}
	}
}

func TestAnInsertInALoopIsAFault(t *testing.T) {
	m := filled(t, 100)
	const reason = "a key was inserted during the loop"
	wantFault(t, "hashmap.Map.All", reason, func() {
		for k := range m.All() {
			m.Put(k+1000, 0)
		}
	})
	wantFault(t, "hashmap.Map.Values", reason, func() {
		for range m.Values() {
			m.Entry(5000)
		}
	})
	for k := range m.Keys() { // not when the loop does not go on
		m.Put(k+7000, 0)
		break
	}
}

func TestALoopEndsWithTheEntries(t *testing.T) {
	for name, end := range map[string]func(*hashmap.Map[uint64, uint64]){
		"Clear": (*hashmap.Map[uint64, uint64]).Clear,
		"Free":  (*hashmap.Map[uint64, uint64]).Free,
	} {
		m, rounds := filled(t, 5000), 0
		for range m.All() {
			if rounds++; rounds == 10 {
				end(m)
			}
		}
		if rounds != 10 {
			t.Errorf("after %s the loop goes on for %d rounds", name, rounds-10)
		}
	}
	mc := palloctest.New(t)
	m := hashmap.New[uint64, uint64](mc, 0)
	m.Put(1, 1)
	m.Put(2, 2)
	wantFault(t, "hashmap.Map.Keys", "the context was reset", func() {
		for range m.Keys() {
			mc.Reset()
		}
	})
}
