package palloc_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The slice functions compared with Go's own: random programs in which the appended values
// may lie anywhere in the slice's memory, its spare capacity included.

// growers create the contexts that slices grow in.
var growers = []struct {
	name  string
	make  func(parent palloc.Context) palloc.Context
	frees bool
}{
	{"AllocSet", func(p palloc.Context) palloc.Context { return palloc.NewAllocSet(p, "c") }, true},
	{"Generation", func(p palloc.Context) palloc.Context { return palloc.NewGeneration(p, "c") }, true},
	{"Bump", func(p palloc.Context) palloc.Context { return palloc.NewBump(p, "c") }, false},
	{"Shared", func(p palloc.Context) palloc.Context { return palloc.NewAllocSet(p, "c", palloc.Shared()) }, true},
}

// A pupil is a slice that runs a script, with a copy of its expected content.
type pupil[T comparable] struct {
	t      *testing.T
	c      palloc.Context
	frees  bool
	script numbers
	next   func(n int) T

	s, want []T
	whole   bool     // s is as it was returned: no other slice has a part of its chunk
	apart   [][2][]T // other slices, with copies of their expected content
}

// numbers is what a test has left to do of its script.
type numbers []byte

// next returns the next number of the script, below n; 0 at its end.
func (s *numbers) next(n int) int {
	if len(*s) < 2 {
		*s = nil
		return 0
	}
	v := int((*s)[0]) | int((*s)[1])<<8
	*s = (*s)[2:]
	return v % n
}

// values returns values to append: new ones, or any part of the slice's memory.
func (u *pupil[T]) values() []T {
	all := u.s[:cap(u.s)]
	if u.script.next(2) == 0 && len(all) < 10_000 {
		from := u.script.next(len(all) + 1)
		return all[from : from+u.script.next(len(all)-from+1)]
	}
	n := u.script.next(40)
	if u.script.next(16) == 0 {
		n = u.script.next(2000)
	}
	list := make([]T, n)
	for i := range list {
		list[i] = u.next(u.script.next(1 << 16))
	}
	return list
}

// become makes s the slice; no other slice has a part of its chunk.
func (u *pupil[T]) become(s, want []T) { u.s, u.want, u.whole = s, want, true }

// setApart adds the slice to the other slices.
func (u *pupil[T]) setApart() {
	u.apart = append(u.apart, [2][]T{u.s, slices.Clone(u.s)})
	u.become(nil, nil)
}

// lesson runs one operation on the slice.
func (u *pupil[T]) lesson() {
	switch u.script.next(9) {
	case 0:
		n := u.script.next(50)
		u.setApart()
		u.become(palloc.MakeSlice[T](u.c, n, n+u.script.next(10)), make([]T, n))
	case 1:
		from := u.script.next(len(u.s) + 1)
		part := u.s[from : from+u.script.next(len(u.s)-from+1)]
		if u.whole {
			u.setApart()
		}
		u.become(palloc.Clone(u.c, part), slices.Clone(part))
	case 2: // cut short: the memory beyond belongs to another slice
		if n, s := u.script.next(len(u.s)+1), u.s; u.whole && n < cap(s) {
			u.setApart()
			u.s, u.want, u.whole = s[:n:n], slices.Clone(s[:n]), false
		}
	case 3:
		if u.whole { // else the next append would overwrite another slice's values
			n := u.script.next(len(u.s) + 1)
			u.s, u.want = u.s[:n], u.want[:n]
		}
	case 4:
		if u.whole && u.frees {
			palloc.FreeSlice(u.s)
			u.become(nil, nil)
		}
	case 5:
		n := u.script.next(100)
		before := u.s
		s := palloc.Grow(u.c, u.s, n)
		if cap(s)-len(s) < n || cap(before)-len(before) >= n && cap(s) != cap(before) {
			u.t.Fatalf("Grow by %d makes %d of %d a capacity of %d", n, len(before), cap(before), cap(s))
		}
		u.whole = u.whole || cap(s) != cap(before)
		u.s = s
	case 6:
		u.c.Alloc(u.script.next(100)) // the next chunk
	default:
		values := u.values()
		want := append(slices.Clone(u.want), values...)
		before := cap(u.s)
		got := palloc.Append(u.c, u.s, values...)
		u.whole = u.whole || cap(got) != before
		u.s, u.want = got, want
	}
}

// learn runs the script, and compares after each step.
func (u *pupil[T]) learn() {
	for step := 0; len(u.script) > 0; step++ {
		left := len(u.script)
		if u.lesson(); !slices.Equal(u.s, u.want) {
			u.t.Fatalf("step %d, with %d bytes of the script left: got %.300s, Go's own is %.300s", step, left, fmt.Sprint(u.s), fmt.Sprint(u.want))
		}
	}
	for i, a := range u.apart {
		if !slices.Equal(a[0], a[1]) {
			u.t.Fatalf("slice %d of %d that were set apart changed from %.300s to %.300s", i, len(u.apart), fmt.Sprint(a[1]), fmt.Sprint(a[0]))
		}
	}
	if err := u.c.Check(); err != nil {
		u.t.Error(err)
	}
}

// teach runs a script on a slice of T.
func teach[T comparable](t *testing.T, c palloc.Context, frees bool, script []byte, next func(n int) T) {
	u := &pupil[T]{t: t, c: c, frees: frees, script: script, next: next}
	u.learn()
}

// A limb is an element with a pointer.
type limb struct {
	palloc.NoHeapPointers
	next *limb
	n    uint32
	text string
}

// pupils run a script on a slice of each type of element.
var pupils = []struct {
	name  string
	teach func(t *testing.T, c palloc.Context, frees bool, script []byte)
}{
	{"byte", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(n int) byte { return byte(n) })
	}},
	{"3 bytes", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(n int) [3]byte { return [3]byte{byte(n), byte(n >> 8), 1} })
	}},
	{"a word", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(n int) uint64 { return uint64(n) * 0x9e3779b97f4a7c15 })
	}},
	{"20 bytes", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(n int) [5]uint32 { return [5]uint32{uint32(n), 1, 2, 3, uint32(n)} })
	}},
	{"500 bytes", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(n int) [125]uint32 { return [125]uint32{0: uint32(n), 124: uint32(n)} })
	}},
	{"linked", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		there := palloc.New[limb](c)
		text := palloc.CloneString(c, "text")
		teach(t, c, frees, script, func(n int) limb { return limb{next: there, n: uint32(n), text: text[:n%4]} })
	}},
	{"no bytes", func(t *testing.T, c palloc.Context, frees bool, script []byte) {
		teach(t, c, frees, script, func(int) struct{} { return struct{}{} })
	}},
}

// scriptOf returns a random script of n bytes.
func scriptOf(seed, n int) []byte {
	random := rand.New(rand.NewPCG(uint64(seed), 7))
	script := make([]byte, n)
	for i := range script {
		script[i] = byte(random.Uint32())
	}
	return script
}

func TestSlicesAreLikeGosOwn(t *testing.T) {
	runs := sized(150, 25)
	for _, g := range growers {
		for _, p := range pupils {
			t.Run(fmt.Sprint(g.name, " of ", p.name), func(t *testing.T) {
				mc := newRoot(t)
				for seed := range runs {
					c := g.make(mc)
					p.teach(t, c, g.frees, scriptOf(seed, 800))
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
					c.Delete()
				}
			})
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add(byte(2), byte(2), []byte("\x00\x00\x04\x00\x00\x00\x07\x00\x00\x00\x01\x00\x03\x00"))
	f.Add(byte(0), byte(0), []byte("\x00\x00\x64\x00\x00\x00\x03\x00\x00\x00\x08\x00\x01\x00\x27\x00"))
	f.Fuzz(func(t *testing.T, kind, element byte, script []byte) {
		g, p := growers[int(kind)%len(growers)], pupils[int(element)%len(pupils)]
		p.teach(t, g.make(newRoot(t)), g.frees, script[:min(len(script), 2000)])
	})
}

// TestAppendTakesValuesFromTheSpareCapacity inserts in the middle, by appending values that
// lie between length and capacity.
func TestAppendTakesValuesFromTheSpareCapacity(t *testing.T) {
	for _, g := range growers {
		t.Run(g.name, func(t *testing.T) {
			c := g.make(newRoot(t))
			for _, try := range []bool{false, true} {
				s := palloc.MakeSlice[uint64](c, 4, 4)
				copy(s, []uint64{1, 2, 3, 4})
				if try {
					s, _ = palloc.TryAppend(c, s[:2], s[1:4]...)
				} else {
					s = palloc.Append(c, s[:2], s[1:4]...)
				}
				if want := []uint64{1, 2, 2, 3, 4}; !slices.Equal(s, want) {
					t.Errorf("got %v, want %v", s, want)
				}
			}
		})
	}
}

// origins are the ways to get a slice of n elements. Each returns the slice, and whether it
// certainly has all of its chunk.
func origins[T any]() map[string]func(c palloc.Context, n int) (s []T, all bool) {
	return map[string]func(c palloc.Context, n int) (s []T, all bool){
		"MakeSlice": func(c palloc.Context, n int) ([]T, bool) { return palloc.MakeSlice[T](c, n, n), false },
		"Clone":     func(c palloc.Context, n int) ([]T, bool) { return palloc.Clone(c, make([]T, n)), true },
		"Append":    func(c palloc.Context, n int) ([]T, bool) { return palloc.Append(c, nil, make([]T, n)...), true },
		"Grow":      func(c palloc.Context, n int) ([]T, bool) { return palloc.Grow[T](c, nil, n)[:n], true },
	}
}

// wantFreed appends beyond a slice's capacity, and checks that its chunk is freed if and
// only if the slice had all of it.
func wantFreed[T any](t *testing.T, c palloc.Context, what string, s, part []T, all bool) {
	t.Helper()
	each := int(unsafe.Sizeof(*new(T)))
	if whole := cap(part) > 0 && palloc.UsableSize(unsafe.Pointer(unsafe.SliceData(s)))-cap(part)*each < each; all && !whole {
		t.Errorf("%s: a capacity of %d does not have all of the chunk", what, cap(part))
	} else {
		all = whole
	}
	grown := palloc.Append(c, part, make([]T, cap(part)-len(part)+1)...)
	if !all {
		palloc.FreeSlice(s) // still live
	}
	palloc.FreeSlice(grown)
	if !c.IsEmpty() {
		t.Fatalf("%s: the context is left with %+v", what, c.Stats())
	}
}

// appendsToAll appends to slices of every origin: whole, empty, and cut short.
func appendsToAll[T any](t *testing.T, c palloc.Context) {
	for from, origin := range origins[T]() {
		for _, n := range []int{1, 2, 7, 8, 9, 13, 64, 65, 100, 111, 112, 129, 1000, 1025, 9000, 100_000} {
			for _, keep := range []int{n, n / 2, 0} {
				what := fmt.Sprintf("%T of %s, %d elements, %d kept", []T(nil), from, n, keep)
				s, all := origin(c, n)
				wantFreed(t, c, what, s, s[:keep], all)
				if s, _ = origin(c, n); keep < n { // values beyond the cut must survive
					wantFreed(t, c, what+", cut short", s, s[:keep:keep], false)
				} else {
					palloc.FreeSlice(s)
				}
			}
		}
	}
}

func TestAppendFreesTheChunkThatASliceHasAllOf(t *testing.T) {
	for _, g := range growers {
		if g.frees {
			t.Run(g.name, func(t *testing.T) {
				c := g.make(newRoot(t))
				appendsToAll[byte](t, c)
				appendsToAll[[3]byte](t, c)
				appendsToAll[uint64](t, c)
				appendsToAll[[5]uint32](t, c)
				appendsToAll[limb](t, c)
			})
		}
	}
}

func TestGrowIsSlicesGrow(t *testing.T) {
	for _, g := range growers {
		t.Run(g.name, func(t *testing.T) {
			c := g.make(newRoot(t))
			s := palloc.Grow[uint32](c, nil, 100)
			if len(s) != 0 || cap(s) < 100 {
				t.Errorf("room for 100 is %d of %d", len(s), cap(s))
			}
			where := unsafe.SliceData(s)
			s = palloc.Append(c, s, make([]uint32, 100)...)
			if unsafe.SliceData(s) != where {
				t.Error("what there was room for moved it")
			}
			if r := palloc.Grow(c, s, 0); unsafe.SliceData(r) != where || len(r) != 100 {
				t.Error("no room is room")
			}
			s[99] = 7
			s, err := palloc.TryGrow(c, s, 10_000)
			if err != nil || len(s) != 100 || cap(s) < 10_100 || s[99] != 7 {
				t.Errorf("it has %d of %d: %v", len(s), cap(s), err)
			}
			for _, v := range s[100:cap(s)] {
				if v != 0 {
					t.Fatal("the room is not zero")
				}
			}
			if e := palloc.Grow(c, make([]struct{}, 2), 1<<20); len(e) != 2 || cap(e)-2 < 1<<20 {
				t.Errorf("elements without size: %d of %d", len(e), cap(e))
			}
			wantFault(t, func() { palloc.Grow(c, s, -1) }, "Grow", "Top/test/c", "not be negative")
			wantFault(t, func() { palloc.TryGrow(c, s, math.MinInt) }, "TryGrow", "Top/test/c", "not be negative")
			wantFault(t, func() { palloc.Grow(c, s, math.MaxInt) }, "Grow", "Top/test/c", "fit in the address space")
			if _, err := palloc.TryGrow(c, []byte(nil), absurd()); err == nil {
				t.Error("the absurd was granted")
			}
		})
	}
}
