package main

import (
	"fmt"

	google "github.com/google/btree"
	tidwall "github.com/tidwall/btree"

	"github.com/gopalloc/palloc/btree"
)

// Ordered maps of int64 to int64.

type pair struct{ key, value int64 }

func less(a, b pair) bool { return a.key < b.key }

// An ordered is one of the maps, by what the work needs of it.
type ordered struct {
	put     func(k, v int64)
	get     func(k int64)
	delete  func(k int64)
	all     func()
	hundred func(k int64) // reads up to 100 entries from k on
	end     func()
}

func ours() ordered {
	mc := fresh()
	m := btree.New[int64, int64](mc)
	return ordered{
		put:    func(k, v int64) { m.Put(k, v) },
		get:    func(k int64) { v, _ := m.Get(k); sink += v },
		delete: func(k int64) { m.Delete(k) },
		all: func() {
			sum := int64(0)
			for k, v := range m.All() {
				sum += k + v
			}
			sink += sum
		},
		hundred: func(k int64) {
			n, sum := 0, int64(0)
			for k, v := range m.From(k) {
				if sum += k + v; n == 99 {
					break
				}
				n++
			}
			sink += sum
		},
		end: mc.Delete,
	}
}

func tidwalls() ordered {
	m := new(tidwall.Map[int64, int64])
	return ordered{
		put:    func(k, v int64) { m.Set(k, v) },
		get:    func(k int64) { v, _ := m.Get(k); sink += v },
		delete: func(k int64) { m.Delete(k) },
		all: func() {
			sum := int64(0)
			m.Scan(func(k, v int64) bool { sum += k + v; return true })
			sink += sum
		},
		hundred: func(k int64) {
			n, sum := 0, int64(0)
			m.Ascend(k, func(k, v int64) bool { sum += k + v; n++; return n < 100 })
			sink += sum
		},
		end: nothing,
	}
}

func googles() ordered {
	m := google.NewG(32, less) // a usual degree
	return ordered{
		put:    func(k, v int64) { m.ReplaceOrInsert(pair{k, v}) },
		get:    func(k int64) { p, _ := m.Get(pair{key: k}); sink += p.value },
		delete: func(k int64) { m.Delete(pair{key: k}) },
		all: func() {
			sum := int64(0)
			m.Ascend(func(p pair) bool { sum += p.key + p.value; return true })
			sink += sum
		},
		hundred: func(k int64) {
			n, sum := 0, int64(0)
			m.AscendGreaterOrEqual(pair{key: k}, func(p pair) bool { sum += p.key + p.value; n++; return n < 100 })
			sink += sum
		},
		end: nothing,
	}
}

// An act does something with a map; its keys are there in the order of insertion, and in another.
type act func(m ordered, keys, others []int64)

// trees returns the work of ordered maps. A run takes several small ones, with keys of their own, so
// that the processor cannot learn what comes.
func trees() (all []work) {
	for _, n := range []int{1000, 30_000, 1_000_000} {
		times := max(1, 200_000/n)
		keys, others := random(n, times)
		add := func(name string, ops int, full bool, do act) {
			w := work{name: fmt.Sprintf("btree: %s, %d entries", name, n), ops: ops}
			for _, s := range []struct {
				name string
				make func() ordered
			}{{"palloc", ours}, {"tidwall/btree", tidwalls}, {"google/btree", googles}} {
				w.sides = append(w.sides, side{s.name, func() (run, end func()) {
					return prepareTrees(s.make, keys, others, full, do)
				}})
			}
			all = append(all, w)
		}
		add("insert", times*n, false, insert)
		add("insert in order", times*n, false, func(m ordered, keys, _ []int64) {
			for i := range keys {
				m.put(int64(i), 1)
			}
		})
		add("get", times*n, true, func(m ordered, _, others []int64) {
			for _, k := range others {
				m.get(k)
			}
		})
		add("read all", times*n, true, func(m ordered, _, _ []int64) { m.all() })
		add("read 100 from a key on", times*(n/100)*100, true, func(m ordered, _, others []int64) {
			for _, k := range others[:n/100] {
				m.hundred(k)
			}
		})
		add("delete", times*n, true, func(m ordered, _, others []int64) {
			for _, k := range others {
				m.delete(k)
			}
		})
	}
	return all
}

func insert(m ordered, keys, _ []int64) {
	for i, k := range keys {
		m.put(k, int64(i))
	}
}

// prepareTrees makes a map for each list of keys. A run does something with each.
func prepareTrees(make func() ordered, keys, others [][]int64, full bool, do act) (run, end func()) {
	var maps []ordered
	for _, k := range keys {
		m := make()
		if full {
			insert(m, k, nil)
		}
		maps = append(maps, m)
	}
	run = func() {
		for i, m := range maps {
			do(m, keys[i], others[i])
		}
	}
	return run, func() {
		for _, m := range maps {
			m.end()
		}
	}
}
