package main

import (
	"cmp"
	binary "container/heap"
	"fmt"

	"github.com/gopalloc/palloc/heap"
)

// Priority queues of a number and what it belongs to: each step takes the least one out and puts
// another one in, at a later time, as timers do.

type event struct{ at, id int64 }

// events is a heap as container/heap has it.
type events []event

func (s events) Len() int           { return len(s) }
func (s events) Less(i, j int) bool { return s[i].at < s[j].at }
func (s events) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *events) Push(x any)        { *s = append(*s, x.(event)) }
func (s *events) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// heaps returns the work of priority queues.
func heaps() (all []work) {
	for _, n := range []int{1000, 100_000} {
		keys, others := random(n, 1)
		steps := max(1, 300_000/n)
		all = append(all, work{name: fmt.Sprintf("heap: pop and push, %d elements", n), ops: steps * n, sides: []side{
			{"palloc", func() (run, end func()) { return popPush(keys[0], others[0], steps) }},
			{"container/heap", func() (run, end func()) { return popPushBinary(keys[0], others[0], steps) }},
		}})
	}
	return all
}

func popPush(keys, others []int64, steps int) (run, end func()) {
	mc := fresh()
	h := heap.NewFunc(mc, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for _, k := range keys {
		h.Push(event{at: k >> 24})
	}
	run = func() {
		for range steps {
			for _, k := range others {
				e, _ := h.Pop()
				h.Push(event{at: e.at + k>>24})
			}
		}
	}
	return run, mc.Delete
}

func popPushBinary(keys, others []int64, steps int) (run, end func()) {
	h := new(events)
	for _, k := range keys {
		binary.Push(h, event{at: k >> 24})
	}
	run = func() {
		for range steps {
			for _, k := range others {
				e := binary.Pop(h).(event)
				binary.Push(h, event{at: e.at + k>>24})
			}
		}
	}
	return run, nothing
}
