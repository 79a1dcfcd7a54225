package main

import (
	"fmt"
	"slices"

	"github.com/gopalloc/palloc/deque"
	"github.com/gopalloc/palloc/vector"
)

// Sequences of structs of 32 bytes, beside Go's slices.

type record struct{ a, b, c, d int64 }

// sequences returns the work of vectors and deques.
func sequences() (all []work) {
	for _, n := range []int{1000, 1_000_000} {
		times := max(1, 1_000_000/n)
		all = append(all,
			work{name: fmt.Sprintf("vector: append, %d elements", n), ops: times * n, sides: []side{
				{"palloc", func() (run, end func()) { return appendVectors(n, times) }},
				{"append of a slice", func() (run, end func()) { return appendSlices(n, times) }},
			}},
			work{name: fmt.Sprintf("vector: read all by index, %d elements", n), ops: times * n, sides: []side{
				{"palloc", func() (run, end func()) { return readVector(n, times, byIndex) }},
				{"slice", func() (run, end func()) { return readSlice(n, times) }},
			}},
			work{name: fmt.Sprintf("vector: read all by All, %d elements", n), ops: times * n, sides: []side{
				{"palloc", func() (run, end func()) { return readVector(n, times, byAll) }},
				{"slice", func() (run, end func()) { return readSlice(n, times) }},
			}},
			work{name: fmt.Sprintf("deque: push back, pop front, %d elements long", n), ops: times * n, sides: []side{
				{"palloc", func() (run, end func()) { return queueDeque(n, times) }},
				{"append to a slice, s = s[1:]", func() (run, end func()) { return queueSlice(n, times) }},
			}})
	}
	return all
}

func appendVectors(n, times int) (run, end func()) {
	mc := fresh()
	run = func() {
		for range times {
			v := vector.New[record](mc)
			for i := range n {
				v.Append(record{a: int64(i)})
			}
			mc.Reset()
		}
	}
	return run, mc.Delete
}

func appendSlices(n, times int) (run, end func()) {
	run = func() {
		for range times {
			var s []record
			for i := range n {
				s = append(s, record{a: int64(i)})
			}
			sink += int64(len(s))
		}
	}
	return run, nothing
}

func byIndex(v *vector.Vector[record]) (sum int64) {
	for i := range v.Len() {
		sum += v.At(i).a
	}
	return sum
}

func byAll(v *vector.Vector[record]) (sum int64) {
	for _, p := range v.All() {
		sum += p.a
	}
	return sum
}

func readVector(n, times int, read func(v *vector.Vector[record]) int64) (run, end func()) {
	mc := fresh()
	v := vector.New[record](mc)
	for i := range n {
		v.Append(record{a: int64(i)})
	}
	run = func() {
		for range times {
			sink += read(v)
		}
	}
	return run, mc.Delete
}

func readSlice(n, times int) (run, end func()) {
	s := slices.Repeat([]record{{a: 1}}, n)
	run = func() {
		sum := int64(0)
		for range times {
			for i := range n {
				sum += s[i].a
			}
		}
		sink += sum
	}
	return run, nothing
}

func queueDeque(n, times int) (run, end func()) {
	mc := fresh()
	d := deque.New[record](mc)
	for i := range n {
		d.PushBack(record{a: int64(i)})
	}
	run = func() {
		for i := range times * n {
			d.PushBack(record{a: int64(i)})
			r, _ := d.PopFront()
			sink += r.a
		}
	}
	return run, mc.Delete
}

func queueSlice(n, times int) (run, end func()) {
	s := slices.Repeat([]record{{a: 1}}, n)
	run = func() {
		for i := range times * n {
			s = append(s, record{a: int64(i)})
			sink += s[0].a
			s = s[1:]
		}
	}
	return run, nothing
}
