package palloc_test

import (
	"errors"
	"math"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Arrays: the product of number and size is checked, and memory added zeroed is zero.

// overflows are numbers and sizes whose product is no valid size.
var overflows = [][2]int{{-1, 8}, {8, -1}, {-1, -1}, {-1, 0}, {0, -8}, {math.MinInt, 1}, {math.MinInt, math.MinInt},
	{math.MaxInt, 2}, {2, math.MaxInt}, {math.MaxInt/2 + 1, 2}, {math.MaxInt/8 + 1, 8}, {math.MaxInt, math.MaxInt},
	{1 << (unsafe.Sizeof(0) * 4), 1 << (unsafe.Sizeof(0) * 4)}, {1<<(unsafe.Sizeof(0)*4) + 1, 1 << (unsafe.Sizeof(0) * 4)}}

func TestAnArrayHasRoomForAll(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, a := range [][2]int{{0, 0}, {0, 100}, {100, 0}, {1, 1}, {7, 24}, {1000, 100}} {
			n, size := a[0], a[1]
			c := newKind(newRoot(t), k, "c", n*size)
			p := bytesAt(c.AllocArray(n, size), n*size)
			q, err := c.TryAllocArray(n, size)
			if err != nil {
				t.Fatal(err)
			}
			scribble(p, 1)
			scribble(bytesAt(q, n*size), 2)
			if !scribbled(p, 1) {
				t.Errorf("%d elements of %d bytes are not all usable", n, size)
			}
		}
	})
}

func TestAProductThatOverflowsIsAFault(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		p := c.Alloc(64)
		scribble(bytesAt(p, 64), 3)
		for _, o := range overflows {
			n, size := o[0], o[1]
			const reason = "fit in the address space"
			wantFault(t, func() { c.AllocArray(n, size) }, "AllocArray", "Top/test/c", reason)
			wantFault(t, func() { c.TryAllocArray(n, size) }, "TryAllocArray", "Top/test/c", reason)
			if k != palloc.KindBump {
				wantFault(t, func() { palloc.ReallocArray(p, n, size) }, "ReallocArray", "Top/test/c", reason)
				wantFault(t, func() { palloc.TryReallocArray(p, n, size) }, "TryReallocArray", "Top/test/c", reason)
			}
		}
		if !scribbled(bytesAt(p, 64), 3) {
			t.Error("the chunk changed")
		}
		wantOrder(t, mc)
	})
}

func TestReallocArrayKeepsWhatItGrows(t *testing.T) {
	for _, s := range freeables() {
		if s.kind == palloc.KindSlab {
			continue // it does not resize
		}
		c := s.under(newRoot(t))
		p := s.from(c)
		scribble(bytesAt(p, s.size), 4)
		p = palloc.ReallocArray(p, s.size+1, 3)
		q, err := palloc.TryReallocArray(p, s.size+1, 5)
		if err != nil || !scribbled(bytesAt(q, s.size), 4) || palloc.UsableSize(q) < 5*(s.size+1) || uintptr(q)%uintptr(s.align) != 0 {
			t.Errorf("%v: %v, content kept: %v", s, err, scribbled(bytesAt(q, s.size), 4))
		}
		palloc.FreePointer(q)
		wantEmpty(t, c)
	}
}

func TestReallocZeroedClearsWhatIsNew(t *testing.T) {
	for _, s := range freeables() {
		if s.kind == palloc.KindSlab {
			continue
		}
		c := s.under(newRoot(t))
		for _, more := range []int{0, 1, 7, 100, 10_000} {
			for _, p := range []unsafe.Pointer{s.from(c), s.from(c)} { // dirty, so that no byte is zero by chance
				scribble(bytesAt(p, palloc.UsableSize(p)), 5)
				palloc.FreePointer(p)
			}
			p := s.from(c)
			scribble(bytesAt(p, palloc.UsableSize(p)), 6)
			old := s.size / 2
			p = palloc.ReallocZeroed(p, old, s.size+more)
			if !scribbled(bytesAt(p, old), 6) {
				t.Errorf("%v, %d more: the old bytes changed", s, more)
			}
			wantZero(t, bytesAt(p, s.size+more)[old:])
			q, err := palloc.TryReallocZeroed(p, s.size+more, s.size+2*more)
			if err != nil || uintptr(q)%uintptr(s.align) != 0 {
				t.Errorf("%v, %d more: at %p, %v", s, more, q, err)
			}
			wantZero(t, bytesAt(q, s.size+2*more)[old:])
			palloc.FreePointer(q)
		}
		wantEmpty(t, c)
	}
}

func TestASlabsChunkIsZeroedInPart(t *testing.T) {
	c := palloc.NewSlab(newRoot(t), "c", 64)
	p := c.Alloc(64)
	scribble(bytesAt(p, 64), 7)
	if q := palloc.ReallocZeroed(p, 10, 64); q != p || !scribbled(bytesAt(p, 10), 7) {
		t.Error("the old bytes changed")
	}
	wantZero(t, bytesAt(p, 64)[10:])
	wantFault(t, func() { palloc.ReallocZeroed(p, 10, 65) }, "ReallocZeroed", "Top/test/c", "64 bytes")
}

func TestTheOldSizeIsChecked(t *testing.T) {
	for _, s := range freeables() {
		mc := newRoot(t)
		p := s.from(s.under(mc))
		scribble(bytesAt(p, s.size), 8)
		usable := palloc.UsableSize(p)
		for _, bad := range [][2]int{{-1, s.size}, {math.MinInt, s.size}, {s.size + 1, s.size}, {usable + 1, 2*usable + 8}, {math.MaxInt, math.MaxInt}, {0, -1}} {
			old, size := bad[0], bad[1]
			wantFault(t, func() { palloc.ReallocZeroed(p, old, size) }, "ReallocZeroed", "Top/test/c", "old bytes")
			wantFault(t, func() { palloc.TryReallocZeroed(p, old, size) }, "TryReallocZeroed", "Top/test/c", "old bytes")
		}
		if !scribbled(bytesAt(p, s.size), 8) || palloc.UsableSize(p) != usable {
			t.Errorf("%v: the chunk changed", s)
		}
		palloc.FreePointer(p)
		wantOrder(t, mc)
	}
}

func TestTryAllocZeroedClears(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, size := range edges {
			c := newKind(newRoot(t), k, "c", size)
			for range 3 {
				p, err := c.TryAllocZeroed(size)
				if err != nil {
					t.Fatal(err)
				}
				wantZero(t, bytesAt(p, size))
				scribble(bytesAt(p, size), 9)
				c.Reset()
			}
		}
	})
}

func TestArraysRunOut(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	p := c.Alloc(1000)
	scribble(bytesAt(p, 1000), 10)
	c.SetLimit(2 << 10)
	for op, try := range map[string]func() (unsafe.Pointer, error){
		"Context.TryAllocArray":  func() (unsafe.Pointer, error) { return c.TryAllocArray(100, 100) },
		"Context.TryAllocZeroed": func() (unsafe.Pointer, error) { return c.TryAllocZeroed(10_000) },
		"TryReallocArray":        func() (unsafe.Pointer, error) { return palloc.TryReallocArray(p, 100, 100) },
		"TryReallocZeroed":       func() (unsafe.Pointer, error) { return palloc.TryReallocZeroed(p, 1000, 10_000) },
		"Context.AllocArray":     func() (unsafe.Pointer, error) { return nil, asError(func() { c.AllocArray(100, 100) }) },
		"ReallocArray":           func() (unsafe.Pointer, error) { return nil, asError(func() { palloc.ReallocArray(p, 100, 100) }) },
		"ReallocZeroed":          func() (unsafe.Pointer, error) { return nil, asError(func() { palloc.ReallocZeroed(p, 1000, 10_000) }) },
	} {
		q, err := try()
		var oom *palloc.OutOfMemoryError
		if q != nil || !errors.As(err, &oom) || oom.Op != op || oom.Size != 10_000 || oom.Context != c.Path() {
			t.Errorf("%s returns %p, %v", op, q, err)
		}
	}
	if !scribbled(bytesAt(p, 1000), 10) {
		t.Error("the old chunk changed")
	}
}

// asError returns the error that f panics with.
func asError(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}
