package maps

import (
	"strings"

	dolthub "github.com/dolthub/swiss"
)

// The loops of dolthub/swiss.
//
// Invariant: the same as every other map's, with direct calls. Cost: what is measured.

type dolthubWords struct {
	m *dolthub.Map[uint64, uint64]
}

func (m *dolthubWords) begin() {
	m.m = dolthub.NewMap[uint64, uint64](0)
}

func (m *dolthubWords) end() {
	m.m = nil
}

func (m *dolthubWords) before() int64 { return heap() }

func (m *dolthubWords) held() int64 { return heap() }

func (m *dolthubWords) insert(keys []uint64) {
	for _, k := range keys {
		m.m.Put(k, 1)
	}
}

func (m *dolthubWords) find(keys []uint64) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *dolthubWords) remove(keys []uint64) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *dolthubWords) each() (sum uint64) {
	m.m.Iter(func(k uint64, v uint64) bool {
		sum += k + v
		return false
	})
	return sum
}

type dolthubStrings struct {
	m *dolthub.Map[string, uint64]
}

func (m *dolthubStrings) begin() {
	m.m = dolthub.NewMap[string, uint64](0)
}

func (m *dolthubStrings) end() {
	m.m = nil
}

func (m *dolthubStrings) before() int64 { return heap() }

func (m *dolthubStrings) held() int64 { return heap() }

func (m *dolthubStrings) insert(keys []string) {
	for _, k := range keys {
		k = strings.Clone(k)
		m.m.Put(k, 1)
	}
}

func (m *dolthubStrings) find(keys []string) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *dolthubStrings) remove(keys []string) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *dolthubStrings) each() (sum uint64) {
	m.m.Iter(func(k string, v uint64) bool {
		sum += uint64(len(k)) + v
		return false
	})
	return sum
}
