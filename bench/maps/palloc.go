package maps

import (
	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
)

// The loops of hashmap, in an AllocSet.
//
// Invariant: the same as every other map's, with direct calls. Cost: what is measured.

type pallocWords struct {
	mc palloc.Context
	m  *hashmap.Map[uint64, uint64]
}

func (m *pallocWords) begin() {
	m.mc = palloc.NewAllocSet(palloc.Top(), "maps")
	m.m = hashmap.New[uint64, uint64](m.mc, 0)
}

func (m *pallocWords) end() {
	m.mc.Delete()
}

func (m *pallocWords) before() int64 { return 0 }

func (m *pallocWords) held() int64 { return m.mc.Held() }

func (m *pallocWords) insert(keys []uint64) {
	for _, k := range keys {
		m.m.Put(k, 1)
	}
}

func (m *pallocWords) find(keys []uint64) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *pallocWords) remove(keys []uint64) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *pallocWords) each() (sum uint64) {
	for k, v := range m.m.All() {
		sum += k + v
	}
	return sum
}

type pallocStrings struct {
	mc palloc.Context
	m  *hashmap.Strings[uint64]
}

func (m *pallocStrings) begin() {
	m.mc = palloc.NewAllocSet(palloc.Top(), "maps")
	m.m = hashmap.NewStrings[uint64](m.mc, 0)
}

func (m *pallocStrings) end() {
	m.mc.Delete()
}

func (m *pallocStrings) before() int64 { return 0 }

func (m *pallocStrings) held() int64 { return m.mc.Held() }

func (m *pallocStrings) insert(keys []string) {
	for _, k := range keys {
		m.m.Put(k, 1)
	}
}

func (m *pallocStrings) find(keys []string) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *pallocStrings) remove(keys []string) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *pallocStrings) each() (sum uint64) {
	for k, v := range m.m.All() {
		sum += uint64(len(k)) + v
	}
	return sum
}
