package main

import (
	"sync"
	"time"

	"github.com/gopalloc/palloc"
)

// Two goroutines in one context that is not Shared. The twin has a lock, or hands over by a channel.

// both runs two functions in two goroutines, the second somewhat later. With wrong, nothing but the
// clock orders them, so that they do not break the context for each other.
func both(wrong int, first, second func()) {
	var mu sync.Mutex
	locked := func(f func()) {
		if wrong == 0 {
			mu.Lock()
			defer mu.Unlock()
		}
		f()
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		locked(first)
	}()
	time.Sleep(50 * time.Millisecond)
	locked(second)
	<-done
}

var races = []seed{
	{"race", "Alloc and Alloc, AllocSet", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		both(wrong, func() { mc.Alloc(16) }, func() { mc.Alloc(16) })
	}},
	{"race", "Alloc and Alloc, Bump", func(wrong int) {
		mc := palloc.NewBump(palloc.Top(), "m")
		both(wrong, func() { mc.Alloc(16) }, func() { mc.Alloc(16) })
	}},
	{"race", "Alloc and FreePointer, AllocSet", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		p := mc.Alloc(16)
		both(wrong, func() { mc.Alloc(16) }, func() { palloc.FreePointer(p) })
	}},
	{"race", "Alloc and FreePointer, Slab", func(wrong int) {
		mc := palloc.NewSlab(palloc.Top(), "m", 32)
		p := mc.Alloc(32)
		both(wrong, func() { mc.Alloc(32) }, func() { palloc.FreePointer(p) })
	}},
	{"race", "FreePointer and FreePointer, Generation", func(wrong int) {
		mc := palloc.NewGeneration(palloc.Top(), "m")
		p, q := mc.Alloc(16), mc.Alloc(16)
		both(wrong, func() { palloc.FreePointer(p) }, func() { palloc.FreePointer(q) })
	}},
	{"race", "Alloc and Reset, AllocSet", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		both(wrong, func() { mc.Alloc(16) }, func() { mc.Reset() })
	}},
	{"race", "New and Delete, Bump", func(wrong int) {
		mc := palloc.NewBump(palloc.Top(), "m")
		both(wrong, func() { palloc.New[int](mc) }, func() { mc.Delete() })
	}},
	{"race", "Append and Append to slices of their own, Bump", func(wrong int) {
		mc := palloc.NewBump(palloc.Top(), "m")
		a, b := palloc.MakeSlice[int](mc, 4, 4), palloc.MakeSlice[int](mc, 4, 4)
		both(wrong, func() { palloc.Append(mc, a, 1) }, func() { palloc.Append(mc, b, 1) })
	}},
	{"race", "Buffer.Write and Buffer.Write to two Buffers, Generation", func(wrong int) {
		mc := palloc.NewGeneration(palloc.Top(), "m")
		a, b := palloc.NewBuffer(mc), palloc.NewBuffer(mc)
		both(wrong, func() { a.WriteString("some") }, func() { b.WriteString("text") })
	}},
	{"race", "a chunk that is handed over without synchronization", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m", palloc.Shared())
		v := palloc.New[int](mc)
		both(wrong, func() { *v = 1 }, func() { sink = byte(*v) })
	}},
	{"race", "Realloc and Alloc, AllocSet", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		p := mc.Alloc(16)
		both(wrong, func() { palloc.Realloc(p, 100) }, func() { mc.Alloc(16) })
	}},
	{"race", "Compact and FreePointer, Slab; the twin reads statistics at once", func(wrong int) {
		mc := palloc.NewSlab(palloc.Top(), "m", 32)
		p := mc.Alloc(32)
		if wrong == 1 {
			both(1, func() { mc.Compact() }, func() { palloc.FreePointer(p) })
			return
		}
		both(1, func() { mc.Stats(); mc.Held(); palloc.Top().TreeHeld() }, func() { palloc.FreePointer(p); mc.Alloc(32) })
	}},
}
