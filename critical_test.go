package palloc_test

import (
	"testing"

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
