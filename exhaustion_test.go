package palloc_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Running out of memory, at each block that an operation acquires, once or for good: the
// error is correct, no memory is lost or left allocated, and the operation succeeds when
// there is memory again.

// A stingy is a backing allocator that refuses memory on demand.
type stingy struct {
	osmem.Source
	refuse bool
}

var system = &stingy{}

func TestMain(m *testing.M) {
	system.Source = osmem.Current()
	osmem.Use(system)
	os.Exit(m.Run())
}

func (s *stingy) Reserve(size uintptr) (uintptr, error) {
	if s.refuse {
		return 0, osmem.ErrNoMemory
	}
	return s.Source.Reserve(size)
}

func (s *stingy) Commit(addr, size uintptr) error {
	if s.refuse {
		return osmem.ErrNoMemory
	}
	return s.Source.Commit(addr, size)
}

// An operation may acquire blocks. prepare allocates its operands and returns the operation
// itself, which panics with the error that a Try function returns.
type operation struct {
	name    string
	kinds   []palloc.Kind
	prepare func(c palloc.Context, size int) (run func())
	steps   bool // it acquires many blocks, and can go on after a failure
}

var (
	resizing = []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration}
	anySize  = append([]palloc.Kind{palloc.KindBump}, resizing...)
)

// must panics with err, as the functions without Try do.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var operations = []operation{
	{"sixty chunks", kinds, func(c palloc.Context, size int) func() {
		var chunks [60][]byte
		i := 0
		return func() {
			for ; i < len(chunks); i++ {
				n := size
				if c.Kind() != palloc.KindSlab {
					n *= i%3 + 1
				}
				chunks[i] = bytesAt(c.Alloc(n), min(n, 64))
				scribble(chunks[i], i)
			}
			for i, b := range chunks {
				if !scribbled(b, i) {
					panic("a chunk lost its content")
				}
			}
		}
	}, true},
	{"a slice that grows", anySize, func(c palloc.Context, size int) func() {
		var s []int64
		return func() {
			for len(s) < min(10*size, 4000) {
				s = palloc.Append(c, s, int64(len(s)))
			}
			for i, v := range s {
				if v != int64(i) {
					panic("an element is another's")
				}
			}
		}
	}, true},
	{"Alloc", kinds, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(c.Alloc(size), size), 1) }
	}, false},
	{"TryAlloc", kinds, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(must(c.TryAlloc(size)), size), 1) }
	}, false},
	{"AllocZeroed", kinds, func(c palloc.Context, size int) func() {
		return func() {
			if b := bytesAt(c.AllocZeroed(size), size); bytes.Count(b, []byte{0}) != size {
				panic("not zeroed")
			}
		}
	}, false},
	{"AllocAligned", anySize, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(c.AllocAligned(size, 128), size), 1) }
	}, false},
	{"TryAllocAligned", anySize, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(must(c.TryAllocAligned(size, 4096)), size), 1) }
	}, false},
	{"New", anySize, func(c palloc.Context, size int) func() {
		return func() { *palloc.New[[3000]byte](c) = [3000]byte{1} }
	}, false},
	{"NewUninitialized", anySize, func(c palloc.Context, size int) func() {
		return func() { palloc.NewUninitialized[[5]int64](c)[0] = 1 }
	}, false},
	{"TryNew", anySize, func(c palloc.Context, size int) func() {
		return func() { *must(palloc.TryNew[[12_000]byte](c)) = [12_000]byte{1} }
	}, false},
	{"MakeSlice", anySize, func(c palloc.Context, size int) func() {
		return func() { scribble(palloc.MakeSlice[byte](c, size, size+9), 1) }
	}, false},
	{"Append", anySize, func(c palloc.Context, size int) func() {
		s := palloc.Clone(c, []byte("the beginning"))
		return func() {
			if s := palloc.Append(c, s, make([]byte, size)...); !strings.HasPrefix(string(s), "the beginning") {
				panic("Append lost what was there")
			}
		}
	}, false},
	{"TryAppend", anySize, func(c palloc.Context, size int) func() {
		s := palloc.Clone(c, []byte("the beginning"))
		return func() {
			grown, err := palloc.TryAppend(c, s, make([]byte, size)...)
			if !strings.HasPrefix(string(grown), "the beginning") {
				panic("TryAppend lost what was there")
			}
			must(grown, err)
		}
	}, false},
	{"Clone", anySize, func(c palloc.Context, size int) func() {
		return func() { palloc.Clone(c, make([]int64, size/8+1))[0] = 1 }
	}, false},
	{"CloneString", anySize, func(c palloc.Context, size int) func() {
		s := strings.Repeat("x", size)
		return func() {
			if palloc.CloneString(c, s) != s {
				panic("CloneString is no clone")
			}
		}
	}, false},
	{"Realloc", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(50)
		scribble(bytesAt(p, 50), 2)
		return func() {
			if q := palloc.Realloc(p, size+60); !scribbled(bytesAt(q, 50), 2) {
				panic("Realloc lost what was there")
			}
		}
	}, false},
	{"TryRealloc", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(9000)
		scribble(bytesAt(p, 9000), 2)
		return func() {
			q, err := palloc.TryRealloc(p, 9000+3*size)
			if err != nil {
				q = p
			}
			if !scribbled(bytesAt(q, 9000), 2) {
				panic("TryRealloc lost what was there")
			}
			must(q, err)
		}
	}, false},
	{"Realloc of an aligned chunk", resizing, func(c palloc.Context, size int) func() {
		p := c.AllocAligned(50, 256)
		scribble(bytesAt(p, 50), 2)
		return func() {
			if q := palloc.Realloc(p, size+1000); !scribbled(bytesAt(q, 50), 2) || uintptr(q)%256 != 0 {
				panic("Realloc lost what was there")
			}
		}
	}, false},
	{"TryAllocZeroed", kinds, func(c palloc.Context, size int) func() {
		return func() { must(c.TryAllocZeroed(size)) }
	}, false},
	{"AllocArray", anySize, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(c.AllocArray(3, size), 3*size), 1) }
	}, false},
	{"TryAllocArray", anySize, func(c palloc.Context, size int) func() {
		return func() { scribble(bytesAt(must(c.TryAllocArray(2, size)), 2*size), 1) }
	}, false},
	{"ReallocArray", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(50)
		return func() { palloc.ReallocArray(p, 4, size+100) }
	}, false},
	{"TryReallocArray", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(50)
		return func() { must(palloc.TryReallocArray(p, 4, size+100)) }
	}, false},
	{"ReallocZeroed", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(50)
		return func() { palloc.ReallocZeroed(p, 50, size+100) }
	}, false},
	{"TryReallocZeroed", resizing, func(c palloc.Context, size int) func() {
		p := c.Alloc(50)
		return func() { must(palloc.TryReallocZeroed(p, 50, size+100)) }
	}, false},
	{"TryClone", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryClone(c, make([]byte, size))) }
	}, false},
	{"TryCloneString", anySize, func(c palloc.Context, size int) func() {
		s := strings.Repeat("x", size)
		return func() { must(palloc.TryCloneString(c, s)) }
	}, false},
	{"CloneStrings", anySize, func(c palloc.Context, size int) func() {
		list := []string{strings.Repeat("x", size), "", strings.Repeat("y", 2*size)}
		return func() {
			if !slices.Equal(palloc.CloneStrings(c, list), list) {
				panic("CloneStrings is no clone")
			}
		}
	}, true},
	{"TryCloneStrings", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryCloneStrings(c, []string{strings.Repeat("x", size), "y"})) }
	}, true},
	{"MakeStrings", anySize, func(c palloc.Context, size int) func() {
		return func() { palloc.MakeStrings(c, 1, size/8+1)[0] = "constant" }
	}, false},
	{"TryMakeStrings", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryMakeStrings(c, 0, size/8+1)) }
	}, false},
	{"MakePointers", anySize, func(c palloc.Context, size int) func() {
		return func() { palloc.MakePointers[int](c, 1, size/8+1)[0] = nil }
	}, false},
	{"TryMakePointers", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryMakePointers[int](c, 0, size/8+1)) }
	}, false},
	{"JoinStrings", anySize, func(c palloc.Context, size int) func() {
		return func() { palloc.JoinStrings(c, []string{strings.Repeat("x", size), "y"}, ", ") }
	}, false},
	{"TryJoinStrings", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryJoinStrings(c, []string{strings.Repeat("x", size), "y"}, ", ")) }
	}, false},
	{"AppendString", anySize, func(c palloc.Context, size int) func() {
		b := palloc.AppendString(c, nil, "the beginning")
		return func() {
			if b := palloc.AppendString(c, b, strings.Repeat("x", size)); !strings.HasPrefix(string(b), "the beginning") {
				panic("AppendString lost what was there")
			}
		}
	}, false},
	{"TryAppendString", anySize, func(c palloc.Context, size int) func() {
		b := palloc.AppendString(c, nil, "the beginning")
		return func() {
			grown, err := palloc.TryAppendString(c, b, strings.Repeat("x", size))
			if !strings.HasPrefix(string(grown), "the beginning") {
				panic("TryAppendString lost what was there")
			}
			must(grown, err)
		}
	}, false},
	{"NewText", anySize, func(c palloc.Context, size int) func() {
		s := strings.Repeat("x", size)
		return func() {
			if palloc.NewText(c, s).String() != s {
				panic("NewText is another text")
			}
		}
	}, false},
	{"TryNewText", anySize, func(c palloc.Context, size int) func() {
		s := strings.Repeat("x", size)
		return func() { must(palloc.TryNewText(c, s)) }
	}, false},
	{"NewRef", anySize, func(c palloc.Context, size int) func() {
		return func() { *palloc.NewRef[[3000]byte](c).Get() = [3000]byte{1} }
	}, false},
	{"TryNewRef", anySize, func(c palloc.Context, size int) func() {
		return func() { *must(palloc.TryNewRef[[12_000]byte](c)).Get() = [12_000]byte{1} }
	}, false},
	{"a Vec that grows", anySize, func(c palloc.Context, size int) func() {
		var v palloc.Vec[int64]
		return func() {
			for v.Len() < min(10*size, 1000) {
				v.Append(c, int64(v.Len()))
			}
			for i, p := range v.All() {
				if *p != int64(i) {
					panic("an element is another's")
				}
			}
		}
	}, true},
	{"Vec.TryAppend", anySize, func(c palloc.Context, size int) func() {
		var v palloc.Vec[byte]
		v.Append(c, 7)
		return func() {
			n := v.Len()
			if err := v.TryAppend(c, make([]byte, size)...); err != nil {
				if v.Len() != n || *v.At(0) != 7 {
					panic("an Append that failed changed the Vec")
				}
				panic(err)
			}
		}
	}, false},
	{"TryMakeSlice", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TryMakeSlice[int16](c, size, size)) }
	}, false},
	{"Sprintf", anySize, func(c palloc.Context, size int) func() {
		return func() {
			if s := palloc.Sprintf(c, "%*d", size, 7); len(s) != size {
				panic("Sprintf lost something")
			}
		}
	}, false},
	{"TrySprintf", anySize, func(c palloc.Context, size int) func() {
		return func() { must(palloc.TrySprintf(c, "%*d", size, 7)) }
	}, false},
	{"a Buffer that is written to", anySize, func(c palloc.Context, size int) func() {
		b, more := palloc.NewBuffer(c), bytes.Repeat([]byte("x"), size/10+1)
		return func() {
			for b.Len() < size {
				before := b.Len()
				if n, err := b.Write(more); err != nil {
					if b.Len() != before || n != 0 {
						panic("a write that failed wrote something")
					}
					panic(err)
				}
			}
			if bytes.Count(b.Bytes(), []byte("x")) != b.Len() {
				panic("the Buffer lost something")
			}
		}
	}, true},
	{"Scope", kinds, func(c palloc.Context, size int) func() {
		return func() {
			must(0, palloc.Scope(c, "scope", func(mc palloc.Context) error {
				mc.Alloc(size)
				return nil
			}))
		}
	}, false},
	{"a child that allocates", kinds, func(c palloc.Context, size int) func() {
		return func() {
			child := palloc.NewBump(c, "child")
			defer child.Delete()
			child.Alloc(size)
		}
	}, false},
	{"a shared child that allocates", kinds, func(c palloc.Context, size int) func() {
		return func() {
			child := palloc.NewAllocSet(c, "child", palloc.Shared())
			defer child.Delete()
			child.Alloc(size)
		}
	}, false},
}

// states are the states of a context in which memory may run out.
var states = map[string]func(c palloc.Context, size int){
	"new": func(palloc.Context, int) {},
	"used": func(c palloc.Context, size int) {
		for i := range 20 {
			p := c.Alloc(size)
			if i%3 == 0 && c.Kind() != palloc.KindBump {
				palloc.FreePointer(p)
			}
		}
	},
	"reset": func(c palloc.Context, size int) {
		for range 40 {
			c.Alloc(size)
		}
		c.Reset()
	},
	"in a tree with a budget": func(c palloc.Context, size int) {
		c.Alloc(size)
		c.SetIdent("ident")
		c.SetLimit(palloc.NoLimit - 1)
		child := palloc.NewAllocSet(c, "child")
		child.Alloc(100)
		palloc.NewSlab(child, "grandchild", 24).Alloc(24)
	},
}

// An injection is one way to run out of memory: from block number at on, once or for good.
type injection struct {
	at      int
	forGood bool
	refused int
}

func (i *injection) inject() {
	left := i.at
	block.AcquireHook = func(uintptr) error {
		if left--; left >= 0 || !i.forGood && i.refused > 0 {
			return nil
		}
		i.refused++
		return osmem.ErrNoMemory
	}
}

func (i *injection) end() { block.AcquireHook = nil }

// shortOf runs f and returns the *OutOfMemoryError that it panics with.
func shortOf(t *testing.T, f func()) (oom *palloc.OutOfMemoryError) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r != nil {
			if err, ok := r.(error); !ok || !errors.As(err, &oom) {
				t.Fatalf("a panic other than *OutOfMemoryError: %v", r)
			}
		}
	}()
	f()
	return nil
}

// picture returns the parts of a tree that must not change: its shape and its statistics,
// but for the number of free chunks, since they are joined before a request is refused.
func picture(mc palloc.Context) string {
	var b strings.Builder
	must(0, mc.WriteStats(&b))
	return freeChunks.ReplaceAllString(b.String(), "")
}

var freeChunks = regexp.MustCompile(` \(\d+ chunks\)`)

func TestMemoryRunsOutAtEveryPurchase(t *testing.T) {
	root := newRoot(t)
	sizes := []int{8, 1000, 9000, 70_000}
	if cramped() {
		sizes = []int{100, 9000}
	}
	injections, failures := 0, 0
	for _, o := range operations {
		for _, k := range o.kinds {
			for state, ready := range states {
				for _, size := range sizes {
					for _, forGood := range []bool{false, true} {
						for at := 0; at < 100; at++ {
							c := newKind(root, k, "c", size)
							ready(c, size)
							run := o.prepare(c, size)
							i := &injection{at: at, forGood: forGood}
							failed := runOut(t, root, c, run, i, o.steps)
							if t.Failed() {
								t.Fatalf("%s in a %v that is %s, %d bytes, block %d, for good: %v", o.name, k, state, size, at, forGood)
							}
							c.Delete()
							if i.refused == 0 {
								break
							}
							injections++
							if failed {
								failures++
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d injections, %d of which made an operation fail", injections, failures)
	if !cramped() && (injections < 5000 || failures < injections/3) {
		t.Error("few injections")
	}
}

// runOut runs an operation while memory runs out, and once more with memory. It reports
// whether the operation failed.
func runOut(t *testing.T, root, c palloc.Context, run func(), i *injection, steps bool) (failed bool) {
	t.Helper()
	before := picture(root)
	i.inject()
	oom := shortOf(t, run)
	if oom == nil {
		i.end()
		return false
	}
	if i.refused == 0 || !errors.Is(oom, osmem.ErrNoMemory) || !strings.HasPrefix(oom.Context, c.Path()) || len(oom.Tree.Rows) == 0 || oom.LimitedBy != "" {
		t.Errorf("the error is %+v", oom)
	}
	if after := picture(root); after != before && !steps {
		t.Errorf("the tree was\n%sand is\n%s", before, after)
	}
	if err := root.Check(); err != nil {
		t.Error(err)
	}
	if i.forGood { // operations that need no memory succeed
		c.SetIdent("still")
		c.Stats()
		must(0, c.WriteStats(io.Discard))
		palloc.NewAllocSet(c, "spare").Delete()
		if oom := shortOf(t, run); oom == nil {
			t.Error("there is memory again, for good")
		}
	}
	i.end()
	if oom := shortOf(t, run); oom != nil {
		t.Errorf("there is memory again, and still: %v", oom)
	}
	if err := root.Check(); err != nil {
		t.Error(err)
	}
	return true
}

func TestContextsRunOut(t *testing.T) {
	if cramped() {
		t.Skip("needs as many contexts as there are nodes in a segment")
	}
	root := newRoot(t)
	system.refuse = true
	defer func() { system.refuse = false }()
	created := 0
	var oom *palloc.OutOfMemoryError
	for oom == nil && created < 3<<20 { // more than any other test has
		oom = shortOf(t, func() { palloc.NewAllocSet(root, "c"); created++ })
	}
	if oom == nil || !errors.Is(oom, osmem.ErrNoMemory) || oom.Context != root.Path() || !strings.Contains(oom.Op, "NewAllocSet") {
		t.Fatalf("after %d contexts: %v", created, oom)
	}
	if n := count(root); n != created {
		t.Errorf("%d contexts were created, and %d are there", created, n)
	}
	if shortOf(t, func() { palloc.NewAllocSet(root, "c", palloc.Shared()) }) == nil {
		t.Error("a shared context was created of nothing")
	}
	system.refuse = false
	palloc.NewAllocSet(root, "c", palloc.Shared()).Delete()
	palloc.NewSlab(root, "c", 8).Delete()
	root.DeleteChildren()
	t.Logf("%d contexts", created)
}

var largeRefused bool // TestTheSystemRefusesALargeChunk has run

func TestTheSystemRefusesALargeChunk(t *testing.T) {
	if cramped() || !system.DiscardFrees() {
		t.Skip("the backing allocator releases nothing, and this is many gigabytes")
	}
	if largeRefused {
		t.Skip("the page heap still has the memory of the first run in this process")
	}
	largeRefused = true
	size, shift := 0, 10
	for _, k := range resizing {
		c := newKind(newRoot(t), k, "c", 0)
		size += 3 << 20 << shift // more than the page heap has free after any test
		system.refuse = true
		oom := shortOf(t, func() { c.Alloc(size) })
		system.refuse = false
		if oom == nil || oom.Size != size || oom.Context != c.Path() || !errors.Is(oom, osmem.ErrNoMemory) {
			t.Errorf("%v: %v", k, oom)
		}
		p := c.Alloc(size)
		b := bytesAt(p, size)
		b[0], b[size-1] = 1, 1
		palloc.FreePointer(p)
	}
	palloc.Trim()
}
