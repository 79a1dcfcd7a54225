package palloc_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Critical sections refuse to acquire blocks, and the emergency context always has memory.

func TestNoBlockIsAcquiredInACriticalSection(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	c.Alloc(8)
	allowed := palloc.NewAllocSet(mc, "allowed")
	allowed.AllowInCriticalSection(true)
	heir := palloc.NewAllocSet(allowed, "heir")
	outside := palloc.NewAllocSet(mc.Parent(), "outside")
	defer outside.Delete()

	leave := mc.EnterCritical()
	inner := c.EnterCritical()
	c.Alloc(100) // fits its block
	wantFault(t, func() { c.Alloc(20_000) }, "Alloc", c.Path(), "critical section")
	if !c.Live() || c.Held() != holds(c) {
		t.Error("the refusal changed the context")
	}
	allowed.Alloc(10_000)
	heir.Alloc(10_000)
	outside.Alloc(10_000)
	inner()
	inner() // once is enough
	wantFault(t, func() { c.Alloc(20_000) }, "Alloc", c.Path(), "critical section")
	leave()
	c.Alloc(20_000)

	allowed.AllowInCriticalSection(false)
	defer mc.EnterCritical()()
	wantFault(t, func() { allowed.Alloc(20_000) }, "Alloc", allowed.Path(), "critical section")
	heir.Alloc(20_000) // it has its own permission
}

func TestTheEmergencyContextAlwaysHasSomething(t *testing.T) {
	mc := palloc.Emergency()
	if mc != palloc.Emergency() || mc.Parent() != palloc.Top() || mc.Name() != "ErrorContext" {
		t.Errorf("the emergency context is %q", mc.Path())
	}
	for range 3 {
		if held := mc.Held(); held != 8<<10 {
			t.Errorf("it holds %d bytes", held)
		}
		leave := mc.EnterCritical() // would refuse a block, were it not allowed
		for range 7 {
			scribble(bytesAt(mc.Alloc(1000), 1000), 3)
		}
		if held := mc.Held(); held != 8<<10 {
			t.Errorf("7000 bytes needed a block: %d bytes are held", held)
		}
		mc.Alloc(100_000)
		leave()
		mc.Reset()
	}
	wantFault(t, mc.Delete, "Delete", mc.Path(), "as long as the process")
}

// TestTheEmergencyContextKeepsItsBlock acquires other blocks in the meantime.
func TestTheEmergencyContextKeepsItsBlock(t *testing.T) {
	mc := palloc.Emergency()
	for _, kilobytes := range []int{9, 12, 3, 5, 40, 8, 1} {
		for range kilobytes {
			mc.Alloc(1000)
		}
		if mc.Reset(); mc.Held() != 8<<10 {
			t.Errorf("after a reset behind %d000 bytes it holds %d", kilobytes, mc.Held())
		}
	}
}

// TestTheEmergencyContextNeverLosesItsBlock does with it whatever releases blocks.
func TestTheEmergencyContextNeverLosesItsBlock(t *testing.T) {
	top, mc := palloc.Top(), palloc.Emergency()
	defer top.SetLimit(palloc.NoLimit)
	r := rand.New(rand.NewPCG(1, 2))
	var chunks []unsafe.Pointer
	for step := range 5000 {
		size := 1 << r.IntN(15)
		n := r.IntN(20)
		switch {
		case n < 8:
			if p, err := mc.TryAlloc(size); err == nil {
				chunks = append(chunks, p)
			}
		case n < 12 && len(chunks) > 0:
			i := r.IntN(len(chunks))
			if p, err := palloc.TryRealloc(chunks[i], size); err == nil {
				chunks[i] = p
			}
		case n < 17 && len(chunks) > 0:
			i := r.IntN(len(chunks))
			palloc.FreePointer(chunks[i])
			chunks = slices.Delete(chunks, i, i+1)
		case n == 17:
			mc.Compact()
		case n == 18:
			mc.Reset()
			chunks = nil
		case n == 19:
			top.SetLimit(top.TreeHeld() + int64(r.IntN(9))<<10)
		}
		if held := mc.Held(); held < 8<<10 {
			t.Fatalf("after step %d, number %d, it holds %d bytes", step, n, held)
		}
		if err := mc.Check(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	mc.Reset()
}

func TestTheEmergencyContextStaysWhereItIs(t *testing.T) {
	mc, c := palloc.Emergency(), palloc.NewAllocSet(newRoot(t), "c")
	wantFault(t, func() { mc.SetParent(c) }, "SetParent", mc.Path(), "as long as the process")
	mc.SetParent(palloc.Top())
	if c.Delete(); !mc.Live() || mc != palloc.Emergency() {
		t.Error("it is gone")
	}
}

// TestTheEmergencyContextBeginsWithItsBlock checks that it has its block from the beginning,
// even after another context of its name, and that without memory it is not created.
func TestTheEmergencyContextBeginsWithItsBlock(t *testing.T) {
	top := palloc.Top()
	palloc.Emergency()
	top.DeleteChildren()
	another := palloc.NewAllocSet(top, "ErrorContext")
	another.Alloc(1)
	another.Delete()

	held, children := top.TreeHeld(), count(top)
	out := injection{forGood: true}
	oom := shortOf(t, func() { out.inject(); palloc.Emergency() })
	out.end()
	if oom == nil || top.TreeHeld() != held || count(top) != children {
		t.Errorf("without memory: %v, and %d contexts that hold %d bytes, not %d with %d",
			oom, count(top), top.TreeHeld(), children, held)
	}
	if held := palloc.Emergency().Held(); held != 8<<10 {
		t.Errorf("it holds %d bytes", held)
	}
}
