package maps

import (
	"strings"

	cockroach "github.com/cockroachdb/swiss"
)

// The loops of cockroachdb/swiss.
//
// Invariant: the same as every other map's, with direct calls. Cost: what is measured.

type cockroachWords struct {
	m *cockroach.Map[uint64, uint64]
}

func (m *cockroachWords) begin() {
	m.m = cockroach.New[uint64, uint64](0)
}

func (m *cockroachWords) end() {
	m.m = nil
}

func (m *cockroachWords) before() int64 { return heap() }

func (m *cockroachWords) held() int64 { return heap() }

func (m *cockroachWords) insert(keys []uint64) {
	for _, k := range keys {
		m.m.Put(k, 1)
	}
}

func (m *cockroachWords) find(keys []uint64) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *cockroachWords) remove(keys []uint64) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *cockroachWords) each() (sum uint64) {
	for k, v := range m.m.All {
		sum += k + v
	}
	return sum
}

type cockroachStrings struct {
	m *cockroach.Map[string, uint64]
}

func (m *cockroachStrings) begin() {
	m.m = cockroach.New[string, uint64](0)
}

func (m *cockroachStrings) end() {
	m.m = nil
}

func (m *cockroachStrings) before() int64 { return heap() }

func (m *cockroachStrings) held() int64 { return heap() }

func (m *cockroachStrings) insert(keys []string) {
	for _, k := range keys {
		k = strings.Clone(k)
		m.m.Put(k, 1)
	}
}

func (m *cockroachStrings) find(keys []string) (sum uint64) {
	for _, k := range keys {
		v, found := m.m.Get(k)
		if found {
			sum += v
		}
	}
	return sum
}

func (m *cockroachStrings) remove(keys []string) {
	for _, k := range keys {
		m.m.Delete(k)
	}
}

func (m *cockroachStrings) each() (sum uint64) {
	for k, v := range m.m.All {
		sum += uint64(len(k)) + v
	}
	return sum
}
