package maps

import "strings"

// The loops of Go's map.
//
// Invariant: the same as every other map's, with direct calls. Cost: what is measured.

type goMapWords struct {
	m map[uint64]uint64
}

func (m *goMapWords) begin() {
	m.m = map[uint64]uint64{}
}

func (m *goMapWords) end() {
	m.m = nil
}

func (m *goMapWords) before() int64 { return heap() }

func (m *goMapWords) held() int64 { return heap() }

func (m *goMapWords) insert(keys []uint64) {
	for _, k := range keys {
		m.m[k] = 1
	}
}

func (m *goMapWords) find(keys []uint64) (sum uint64) {
	for _, k := range keys {
		v, found := m.m[k]
		if found {
			sum += v
		}
	}
	return sum
}

func (m *goMapWords) remove(keys []uint64) {
	for _, k := range keys {
		delete(m.m, k)
	}
}

func (m *goMapWords) each() (sum uint64) {
	for k, v := range m.m {
		sum += k + v
	}
	return sum
}

type goMapStrings struct {
	m map[string]uint64
}

func (m *goMapStrings) begin() {
	m.m = map[string]uint64{}
}

func (m *goMapStrings) end() {
	m.m = nil
}

func (m *goMapStrings) before() int64 { return heap() }

func (m *goMapStrings) held() int64 { return heap() }

func (m *goMapStrings) insert(keys []string) {
	for _, k := range keys {
		k = strings.Clone(k)
		m.m[k] = 1
	}
}

func (m *goMapStrings) find(keys []string) (sum uint64) {
	for _, k := range keys {
		v, found := m.m[k]
		if found {
			sum += v
		}
	}
	return sum
}

func (m *goMapStrings) remove(keys []string) {
	for _, k := range keys {
		delete(m.m, k)
	}
}

func (m *goMapStrings) each() (sum uint64) {
	for k, v := range m.m {
		sum += uint64(len(k)) + v
	}
	return sum
}
