package hashmap_test

import (
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// No method makes garbage.

// A pair is a key with padding; a point is one with floats; a name has a pointer into a context.
type (
	pair struct {
		a uint8
		b uint64
	}
	point struct{ x, y float64 }
	name  struct {
		palloc.NoHeapPointers
		text string
	}
)

func noGarbage(t *testing.T, what string, call func()) {
	t.Helper()
	if n := testing.AllocsPerRun(20, call); n != 0 {
		t.Errorf("%s allocates %v times on Go's heap", what, n)
	}
}

// useAll calls every method of a map, from no entry to some thousand.
func useAll[K comparable](t *testing.T, what string, key func(uint64) K) {
	t.Helper()
	mc := palloctest.New(t, palloctest.Unchecked(), palloctest.AllowChunks())
	m, s := hashmap.New[K, uint64](mc, 0), hashmap.NewSet[K](mc, 0)
	noGarbage(t, what, func() {
		for i := range uint64(3000) {
			m.Put(key(i), i)
			*m.Entry(key(i))++
			if m.TryPut(key(i), i) != nil {
				panic("refused")
			}
			s.Add(key(i))
		}
		sum := uint64(0)
		for i := range uint64(4000) {
			v, _ := m.Get(key(i))
			sum += v
			if m.Has(key(i)) != s.Has(key(i)) || m.Ref(key(i)) == nil && i < 3000 {
				panic("not there")
			}
		}
		for _, v := range m.All() {
			sum += v
		}
		for k := range m.Keys() {
			s.Delete(k)
		}
		for v := range m.Values() {
			sum += v
		}
		for i := range uint64(3000) {
			m.Delete(key(i))
		}
		m.Clear()
		s.Clear()
		m.Free()
		s.Free()
	})
}

func TestNoMethodMakesGarbage(t *testing.T) {
	useAll(t, "uint64", func(i uint64) uint64 { return i })
	useAll(t, "int16", func(i uint64) int16 { return int16(i) })
	useAll(t, "[5]byte", func(i uint64) [5]byte { return [5]byte{byte(i), byte(i >> 8)} })
	useAll(t, "[2]uint64", func(i uint64) [2]uint64 { return [2]uint64{i, i} })
	useAll(t, "pair", func(i uint64) pair { return pair{byte(i), i} })
	useAll(t, "point", func(i uint64) point { return point{float64(i), -float64(i)} })
	useAll(t, "name", func(i uint64) name { return name{text: "abcdefghijklmnopqrstuvwxyz"[:i%26]} })
}

func TestNoMethodOfStringsMakesGarbage(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked(), palloctest.AllowChunks())
	m := hashmap.NewStrings[uint64](mc, 0)
	var keys []string
	for i := range uint32(3000) {
		keys = append(keys, key(i))
	}
	bytes := make([]byte, 0, 100)
	noGarbage(t, "Strings", func() {
		for i, k := range keys {
			m.Put(k, uint64(i))
			bytes = append(bytes[:0], k...)
			*m.EntryBytes(bytes)++
			m.PutBytes(bytes, 1)
			if _, found := m.GetBytes(bytes); !found || m.RefBytes(bytes) == nil {
				panic("not there")
			}
		}
		sum := 0
		for k := range m.All() {
			sum += len(k)
		}
		for _, k := range keys[:1000] {
			m.Delete(k)
			bytes = append(bytes[:0], k...)
			m.DeleteBytes(bytes)
		}
		m.Free()
	})
}

// TestNewMakesAtMostTheMap: and none where the map stays in its function.
func TestNewMakesAtMostTheMap(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked(), palloctest.AllowChunks())
	var kept *hashmap.Map[uint64, uint64]
	if n := testing.AllocsPerRun(20, func() { kept = hashmap.New[uint64, uint64](mc, 0) }); n > 1 {
		t.Errorf("New allocates %v times on Go's heap", n)
	}
	noGarbage(t, "New and Free", func() {
		m := hashmap.New[uint64, uint64](mc, 0)
		m.Put(1, 1)
		m.Free()
	})
	kept.Free()
}
