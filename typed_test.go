package palloc_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Typed allocation: a T in a context is as zero as one on Go's heap, whatever its memory was
// used for before.

type point struct{ x, y, z, w uint64 }

// newOf allocates a T, checks that it is zero, and makes its memory dirty.
func newOf[T any](t *testing.T, mc palloc.Context, try bool) *T {
	t.Helper()
	p := new(T)
	if try {
		var err error
		if p, err = palloc.TryNew[T](mc); err != nil {
			t.Fatal(err)
		}
	} else {
		p = palloc.New[T](mc)
	}
	b := bytesAt(unsafe.Pointer(p), int(unsafe.Sizeof(*p)))
	wantZero(t, b)
	for i := range b {
		b[i] = 0xa5
	}
	return p
}

// dirtyCycles allocates Ts in memory that is reused: freed chunks, blocks from before a
// reset, blocks of other contexts.
func dirtyCycles[T any](t *testing.T, k palloc.Kind) {
	t.Helper()
	mc := newRoot(t)
	size := int(unsafe.Sizeof(*new(T)))
	for round := range 6 {
		c := newKind(mc, k, "c", size)
		for i := range 200 {
			p := newOf[T](t, c, i%2 == 1)
			if k != palloc.KindBump && i%3 != 0 {
				palloc.Free(p)
			}
			if i == 100 {
				c.Reset()
			}
		}
		if round%2 == 0 {
			c.Delete()
		}
	}
}

func TestNewIsZeroInReusedMemory(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		dirtyCycles[byte](t, k)
		dirtyCycles[[3]byte](t, k)
		dirtyCycles[uint64](t, k)
		dirtyCycles[point](t, k)
		dirtyCycles[[100]uint16](t, k)
		dirtyCycles[[1000]uint64](t, k)
		dirtyCycles[[5000]uint64](t, k)
	})
}

func TestNewOfNoBytesIsAChunk(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		p := palloc.New[struct{}](c)
		q, err := palloc.TryNew[[0]int](c)
		if p == nil || q == nil || err != nil || unsafe.Pointer(p) == unsafe.Pointer(q) {
			t.Fatalf("%p, %p, %v", p, q, err)
		}
		if k != palloc.KindBump {
			palloc.Free(p)
			palloc.Free(q)
			wantEmpty(t, c)
		}
	})
}

func TestFreeTakesWhatNewReturned(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", int(unsafe.Sizeof(point{})))
		p := palloc.New[point](c)
		*p = point{1, 2, 3, 4}
		other := palloc.New[point](c)
		palloc.Free(p)
		if c.IsEmpty() || *other != (point{}) {
			t.Error("the wrong chunk was freed")
		}
		palloc.Free(other)
		wantEmpty(t, c)
		wantFault(t, func() { palloc.Free(p) }, "Free", "Top/test/c", "already free")
	})
}

type pair[K, V any] struct {
	key   K
	value V
}

func TestGenericTypesAreAllocated(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	p := palloc.New[pair[int32, [2]float64]](c)
	p.key, p.value[1] = 7, 1.5
	q := palloc.New[pair[int32, [2]float64]](c)
	if p.key != 7 || p.value[1] != 1.5 || *q != (pair[int32, [2]float64]{}) {
		t.Errorf("%+v, %+v", *p, *q)
	}
}

// TestNewUnclearedIsForPlainTypes allocates a T without pointers; a T with pointers is
// refused, even one that New accepts.
func TestNewUnclearedIsForPlainTypes(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", int(unsafe.Sizeof(point{})))
		p, q := palloc.NewUninitialized[point](c), palloc.NewUninitialized[point](c)
		*p, *q = point{1, 2, 3, 4}, point{5, 6, 7, 8}
		if *p != (point{1, 2, 3, 4}) || p == q {
			t.Errorf("two points at %p and %p: %v, %v", p, q, *p, *q)
		}
		if k != palloc.KindBump {
			palloc.Free(p)
			palloc.Free(q)
			wantEmpty(t, c)
		}
		wantFault(t, func() { palloc.NewUninitialized[linkedNode](c) }, "NewUninitialized", "", "use New")
		wantFault(t, func() { palloc.NewUninitialized[*int](c) }, "NewUninitialized", "", "use New")
		c.Delete()
		wantFault(t, func() { palloc.NewUninitialized[point](c) }, "NewUninitialized", "c", "deleted")
	})
}

// TestALargeTypeMakesNoGarbage allocates and asks for the size of a large type.
func TestALargeTypeMakesNoGarbage(t *testing.T) {
	if raced {
		t.Skip("there, contexts lie on Go's heap")
	}
	type large [1 << 20]byte
	mc := newRoot(t)
	if n := testing.AllocsPerRun(20, func() {
		palloc.Free(palloc.New[large](mc))
		palloc.Free(palloc.NewUninitialized[large](mc))
	}); n != 0 {
		t.Errorf("%v objects of Go's", n)
	}
}

// TestALargeTypeDoesNotWrapAround allocates a type whose end, with 32 bits, may lie beyond
// the last address.
func TestALargeTypeDoesNotWrapAround(t *testing.T) {
	const large = 1 << 30
	each(t, anySize, func(t *testing.T, k palloc.Kind) {
		mc := newKind(newRoot(t), k, "c", 0)
		mc.Alloc(100)
		out := injection{forGood: true}
		out.inject()
		defer out.end()
		for i, create := range []func(){
			func() { palloc.New[[large]byte](mc) },
			func() { palloc.NewUninitialized[[large]byte](mc) },
		} {
			if shortOf(t, create) == nil {
				t.Errorf("%d: a block of %d bytes has room for %d", i, mc.Held(), large)
			}
		}
	})
}

// TestATypeOfMoreThanAGigabyte checks that it is allocated and cleared, with 32 bits too, or
// refused without leaving memory allocated.
func TestATypeOfMoreThanAGigabyte(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 || testing.Short() || raced {
		t.Skip("with 64 bits it is a type as any other, and it takes a gigabyte")
	}
	type large [1<<30 + 8]byte
	mc := newRoot(t)
	held := mc.TreeHeld()
	for i, create := range []func() *large{
		func() *large { return palloc.New[large](mc) },
		func() *large { return palloc.NewUninitialized[large](mc) },
		func() *large { return must(palloc.TryNew[large](mc)) },
	} {
		var p *large
		if oom := shortOf(t, func() { p = create() }); oom != nil {
			if p != nil || mc.TreeHeld() != held {
				t.Errorf("%d: refused, and %d bytes are held: %v", i, mc.TreeHeld(), oom)
			}
			continue
		}
		if i != 1 && p[0]|p[1<<29]|p[1<<30]|p[1<<30+7] != 0 {
			t.Errorf("%d: it is not zero", i)
		}
		p[0], p[1<<30+7] = 1, 1
		palloc.Free(p)
	}
}
