package hashmap_test

import (
	"math"
	"testing"

	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// Keys of all types are compared by ==, as in Go's map.

// A blank has a field that == does not compare; an id is of a defined type.
type (
	blank struct {
		a uint32
		_ uint32
	}
	id uint16
)

// sameAsGo compares a map of a hundred keys with Go's map.
func sameAsGo[K comparable](t *testing.T, what string, key func(i int) K) {
	t.Helper()
	mc := palloctest.New(t)
	m, model := hashmap.New[K, int](mc, 0), map[K]int{}
	for i := range 300 {
		*m.Entry(key(i)) += i
		model[key(i)] += i
	}
	for i := range 400 {
		v, found := m.Get(key(i))
		want, there := model[key(i)]
		if v != want || found != there {
			t.Errorf("%s: Get(%v) returns %d, %v, want %d, %v", what, key(i), v, found, want, there)
		}
	}
	if m.Len() != len(model) {
		t.Errorf("%s: %d entries, want %d", what, m.Len(), len(model))
	}
	m.Free()
}

func TestKeysOfAllTypes(t *testing.T) {
	sameAsGo(t, "bool", func(i int) bool { return i%2 == 0 })
	sameAsGo(t, "int8", func(i int) int8 { return int8(i) })
	sameAsGo(t, "id", func(i int) id { return id(i) })
	sameAsGo(t, "rune", func(i int) rune { return rune(i * 1000) })
	sameAsGo(t, "int", func(i int) int { return -i << 20 })
	sameAsGo(t, "uintptr", func(i int) uintptr { return uintptr(i) })
	sameAsGo(t, "float64", func(i int) float64 { return []float64{0, math.Copysign(0, -1), 1, math.Inf(1)}[i%4] * float64(i) })
	sameAsGo(t, "float32", func(i int) float32 { return float32(i%7) * -0.5 })
	sameAsGo(t, "complex128", func(i int) complex128 { return complex(0, float64(i%9-4)) })
	sameAsGo(t, "struct{}", func(int) struct{} { return struct{}{} })
	sameAsGo(t, "[0]int", func(int) [0]int { return [0]int{} })
	sameAsGo(t, "[3]byte", func(i int) [3]byte { return [3]byte{byte(i % 5), 0, byte(i)} })
	sameAsGo(t, "[16]byte", func(i int) [16]byte { return [16]byte{3: byte(i), 15: byte(i % 3)} })
	sameAsGo(t, "[2]float64", func(i int) [2]float64 { return [2]float64{-0.0, float64(i % 3)} })
	sameAsGo(t, "pair", func(i int) pair { return pair{uint8(i), uint64(i % 6)} })
	sameAsGo(t, "blank", func(i int) blank { return blank{a: uint32(i % 50)} })
	sameAsGo(t, "name", func(i int) name { return name{text: "abcdefgh"[:i%8]} })
}

// TestNaNIsNeverFound: each is another key, and may be deleted by Clear only, as in Go's map.
func TestNaNIsNeverFound(t *testing.T) {
	mc := palloctest.New(t)
	m := hashmap.New[float64, uint64](mc, 0)
	const n = 5000
	for i := range uint64(n) {
		m.Put(math.NaN(), i)
		m.Put(float64(i), i)
	}
	if m.Has(math.NaN()) || m.Delete(math.NaN()) || m.Len() != 2*n {
		t.Errorf("NaN was found, or %d entries", m.Len())
	}
	sum := uint64(0)
	for k, v := range m.All() {
		if math.IsNaN(k) {
			sum += v
		} else if w, found := m.Get(k); w != v || !found {
			t.Fatalf("%v has %d, %v", k, w, found)
		}
	}
	if sum != n*(n-1)/2 {
		t.Errorf("the values of the NaNs sum up to %d", sum)
	}
	m.Clear()
	if m.Len() != 0 {
		t.Error("Clear leaves entries")
	}
	m.Free()
}

// TestStringsKeepsCopies: what the caller does with its bytes is its own affair.
func TestStringsKeepsCopies(t *testing.T) {
	mc := palloctest.New(t)
	m := hashmap.NewStrings[uint32](mc, 0)
	for n := range uint32(200) { // of all lengths
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(n) + byte(i)
		}
		m.PutBytes(b, n)
		clear(b)
	}
	for k, v := range m.All() {
		if uint32(len(k)) != v || v > 0 && k[0] != byte(v) {
			t.Errorf("%q has %d", k, v)
		}
	}
	before := mc.Stats().Used
	long := string(make([]byte, 5000))
	m.Put(long, 1)
	if m.Delete(long); mc.Stats().Used > before+4000 {
		t.Errorf("Delete leaves the key: %d bytes used, before %d", mc.Stats().Used, before)
	}
	m.Clear()
	if m.Len() != 0 || m.Has("") {
		t.Error("Clear leaves entries")
	}
	m.Put("again", 1)
	m.Free()
}
