package palloc_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// A Buffer behaves as bytes.Buffer does, in a context. It leaves no memory behind, and
// detects when its bytes were taken back.

var (
	_ io.Writer       = (*palloc.Buffer)(nil)
	_ io.ByteWriter   = (*palloc.Buffer)(nil)
	_ io.StringWriter = (*palloc.Buffer)(nil)
	_ io.ReaderFrom   = (*palloc.Buffer)(nil)
	_ io.WriterTo     = (*palloc.Buffer)(nil)
	_ fmt.Stringer    = (*palloc.Buffer)(nil)
)

// growing are the kinds that allow a Buffer.
var growing = []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}

// twins hold a Buffer and the bytes.Buffer that it is compared with.
type twins struct {
	t          *testing.T
	c          palloc.Context
	got        *palloc.Buffer
	want       bytes.Buffer
	neighbours [][]byte
	script     numbers // the rest of it
}

// some returns a random number of bytes, rarely many.
func (w *twins) some() []byte {
	n := w.script.next(80)
	if w.script.next(16) == 0 {
		n = w.script.next(20_000)
	}
	b := make([]byte, n)
	scribble(b, w.script.next(1000))
	return b
}

// A sated is a writer that takes so many bytes and then fails.
type sated struct{ left int }

var errSated = errors.New("no more")

func (s *sated) Write(p []byte) (int, error) {
	n := min(s.left, len(p))
	if s.left -= n; n < len(p) {
		return n, errSated
	}
	return n, nil
}

// deeds are the operations on both. Each returns the results of the two.
var deeds = []func(w *twins) (got, want any){
	func(w *twins) (any, any) {
		p := w.some()
		return answer(w.got.Write(p)), answer(w.want.Write(p))
	},
	func(w *twins) (any, any) {
		s := string(w.some())
		return answer(w.got.WriteString(s)), answer(w.want.WriteString(s))
	},
	func(w *twins) (any, any) {
		c := byte(w.script.next(256))
		return w.got.WriteByte(c), w.want.WriteByte(c)
	},
	func(w *twins) (any, any) {
		r := []rune{'a', 'ä', '€', '🐘', -1, 0xd800, math.MaxInt32, 0, 0x7f, 0x80}[w.script.next(10)]
		return answer(w.got.WriteRune(r)), answer(w.want.WriteRune(r))
	},
	func(w *twins) (any, any) {
		n, s := w.script.next(1000), string(w.some())
		return answer(fmt.Fprintf(w.got, "%d %q %v|", n, s, 1.5)), answer(fmt.Fprintf(&w.want, "%d %q %v|", n, s, 1.5))
	},
	func(w *twins) (any, any) {
		n := int64(w.script.next(65536) - 32768)
		return answer(w.got.Write(strconv.AppendInt(w.got.AvailableBuffer(), n, 2))),
			answer(w.want.Write(strconv.AppendInt(w.want.AvailableBuffer(), n, 2)))
	},
	func(w *twins) (any, any) { // from itself
		if w.want.Len() > 100_000 {
			return nil, nil
		}
		from := w.script.next(w.want.Len() + 1)
		return answer(w.got.Write(w.got.Bytes()[from:])), answer(w.want.Write(w.want.Bytes()[from:]))
	},
	func(w *twins) (any, any) { // from its memory, written or not
		if w.want.Len() > 100_000 {
			return nil, nil
		}
		all := w.got.Bytes()[:w.got.Cap()]
		from := w.script.next(len(all) + 1)
		p := all[from : from+w.script.next(len(all)-from+1)]
		was := bytes.Clone(p)
		if w.script.next(2) == 0 {
			return answer(w.got.Write(p)), answer(w.want.Write(was))
		}
		return answer(w.got.WriteString(unsafe.String(unsafe.SliceData(p), len(p)))), answer(w.want.Write(was))
	},
	func(w *twins) (any, any) { // from its own bytes, as far as they do not move
		p := w.got.Bytes()
		p = p[w.script.next(len(p)+1):]
		p = p[:min(len(p), max(w.got.Available()-512, 0))]
		was := bytes.Clone(p)
		return answer(w.got.ReadFrom(bytes.NewReader(p))), answer(w.want.ReadFrom(bytes.NewReader(was)))
	},
	func(w *twins) (any, any) {
		p, how := w.some(), w.script.next(4)
		return answer(w.got.ReadFrom(reader(p, how))), answer(w.want.ReadFrom(reader(p, how)))
	},
	func(w *twins) (any, any) {
		n := w.script.next(w.want.Len() + 10)
		return answer(w.got.WriteTo(&sated{n})), answer(w.want.WriteTo(&sated{n}))
	},
	func(w *twins) (any, any) {
		n := w.script.next(w.want.Len() + 1)
		w.got.Truncate(n)
		w.want.Truncate(n)
		return nil, nil
	},
	func(w *twins) (any, any) {
		w.got.Reset()
		w.want.Reset()
		return nil, nil
	},
	func(w *twins) (any, any) {
		n := w.script.next(3000)
		w.got.Grow(n)
		return w.got.Available() >= n && len(w.got.AvailableBuffer()) == 0 && cap(w.got.AvailableBuffer()) == w.got.Available(), true
	},
	func(w *twins) (any, any) {
		if w.c.Kind() == palloc.KindBump {
			return nil, nil
		}
		w.got.Free()
		w.want.Reset()
		return w.got.Cap(), 0
	},
	func(w *twins) (any, any) { // another chunk takes the memory behind it
		size := 1 + w.script.next(300)
		p := bytesAt(w.c.Alloc(size), size)
		scribble(p, len(w.neighbours))
		w.neighbours = append(w.neighbours, p)
		return nil, nil
	},
}

func answer(n any, err error) any { return fmt.Sprint(n, " ", err) }

func reader(p []byte, how int) io.Reader {
	r := io.Reader(bytes.NewReader(p))
	switch how {
	case 1:
		return iotest.OneByteReader(r)
	case 2:
		return iotest.DataErrReader(r)
	case 3:
		return io.MultiReader(r, iotest.ErrReader(errSated))
	}
	return r
}

// act runs the script, and compares after each operation.
func (w *twins) act() {
	t := w.t
	for deed := 0; len(w.script) > 0; deed++ {
		which := w.script.next(len(deeds))
		if got, want := deeds[which](w); got != want {
			t.Fatalf("operation %d, of sort %d, returned %v; bytes.Buffer returned %v", deed, which, got, want)
		}
		if !bytes.Equal(w.got.Bytes(), w.want.Bytes()) || w.got.String() != w.want.String() {
			t.Fatalf("after deed %d, of sort %d, it has %d bytes %.40q; bytes.Buffer has %d bytes %.40q", deed, which,
				w.got.Len(), w.got.Bytes(), w.want.Len(), w.want.Bytes())
		}
		if !bytes.Equal(w.got.Clone(), w.want.Bytes()) || w.got.Len() != w.want.Len() ||
			w.got.Cap()-w.got.Len() != w.got.Available() {
			t.Fatalf("after deed %d, of sort %d: length %d, capacity %d, room %d, clone %.40q", deed, which,
				w.got.Len(), w.got.Cap(), w.got.Available(), w.got.Clone())
		}
	}
}

// leave checks the adjacent chunks, frees everything, and checks that nothing is left.
func (w *twins) leave() {
	for i, p := range w.neighbours {
		if !scribbled(p, i) {
			w.t.Errorf("the Buffer wrote into a neighbour of %d bytes", len(p))
		}
		if w.c.Kind() != palloc.KindBump {
			palloc.FreeSlice(p)
		}
	}
	if w.c.Kind() == palloc.KindBump {
		return
	}
	w.got.Free()
	wantEmpty(w.t, w.c)
}

func TestBufferIsBytesBuffer(t *testing.T) {
	runs := sized(200, 20)
	for _, g := range growers {
		t.Run(g.name, func(t *testing.T) {
			c := g.make(newRoot(t))
			for seed := range runs {
				w := &twins{t: t, c: c, got: palloc.NewBuffer(c), script: scriptOf(seed, 1200)}
				w.act()
				w.leave()
				c.Reset()
			}
		})
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add(byte(0), []byte("\x00\x00\x20\x00\x01\x00\x05\x00\x06\x00\x00\x00\x06\x00\x00\x00"))
	f.Add(byte(1), []byte("\x0c\x00\x02\x00\x61\x00\x08\x00\x01\x00\x0b\x00\xff\x00"))
	f.Add(byte(2), []byte("\x02\x00\x41\x00\x0d\x00\x10\x00\x04\x00\x07\x00\x20\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, k byte, script []byte) {
		c := growers[int(k)%len(growers)].make(newRoot(t))
		w := &twins{t: t, c: c, got: palloc.NewBuffer(c), script: script[:min(len(script), 2000)]}
		w.act()
		w.leave()
	})
}

// chunkOf returns the first byte of a Buffer's chunk.
func chunkOf(b *palloc.Buffer) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b.Bytes())) }

func TestAGrowingBufferHasOneChunk(t *testing.T) {
	each(t, growing[:2], func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		b := palloc.NewBuffer(c)
		if !c.IsEmpty() {
			t.Errorf("a Buffer without bytes takes %+v", c.Stats())
		}
		grown := 0
		for i := range 200_000 {
			before := b.Cap()
			b.WriteByte(byte(i))
			if b.Cap() == before {
				continue
			}
			grown++
			if room := palloc.UsableSize(chunkOf(b)); room != b.Cap() {
				t.Errorf("a capacity of %d in a chunk of %d", b.Cap(), room)
			}
			if k != palloc.KindAllocSet {
				continue // it counts freed chunks as used while their block has others
			}
			if s := c.Stats(); s.Used > int64(palloc.Footprint(chunkOf(b)))+200*s.Blocks { // a head, and a tail not worth cutting
				t.Fatalf("at %d bytes the chunk takes %d, and the context uses %+v", b.Len(), palloc.Footprint(chunkOf(b)), s)
			}
		}
		if grown > 25 {
			t.Errorf("200,000 bytes grew %d times, to %d", grown, b.Cap())
		}
		b.Free()
		wantEmpty(t, c)
		b.WriteString("again")
		if b.String() != "again" {
			t.Errorf("after Free it has %q", b)
		}
	})
}

func TestABufferGrowsInPlaceAtTheEndOfABumpsBlock(t *testing.T) {
	mustBePlain(t)
	c := palloc.NewBump(newFresh(t), "c", palloc.BlockSizes(64<<10, 64<<10))
	b := palloc.NewBuffer(c)
	b.WriteByte('x')
	where := chunkOf(b)
	for range 30_000 {
		b.WriteByte('x')
	}
	if chunkOf(b) != where {
		t.Error("it moved though there was room behind it")
	}
	next := bytesAt(c.Alloc(64), 64)
	scribble(next, 1)
	for range 30_000 {
		b.WriteByte('x')
	}
	if chunkOf(b) == where || !scribbled(next, 1) {
		t.Error("it grew over its neighbour")
	}
}

func TestALargeBufferSeldomMoves(t *testing.T) {
	most := sized(16<<20, 2<<20)
	for _, k := range growing[:2] {
		b := palloc.NewBuffer(newKind(newRoot(t), k, "c", 0))
		moves, where := 0, unsafe.Pointer(nil)
		for b.Len() < most {
			b.WriteString("0123456789abcdef")
			if at := chunkOf(b); at != where {
				moves, where = moves+1, at
			}
		}
		if moves > 25 || strings.Count(b.String(), "0123456789abcdef") != most/16 {
			t.Errorf("%v: %d bytes moved %d times", k, b.Len(), moves)
		}
	}
}

func TestResetKeepsTheChunkOfABuffer(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		b := palloc.NewBuffer(newKind(newRoot(t), k, "c", 0))
		b.Write(make([]byte, 5000))
		where, room := chunkOf(b), b.Cap()
		b.Reset()
		b.Write(make([]byte, 5000))
		if chunkOf(b) != where || b.Cap() != room {
			t.Error("the bytes moved")
		}
	})
}

// bufferUses are all ways to use a Buffer, by the method's name.
var bufferUses = map[string]func(b *palloc.Buffer){
	"Available":       func(b *palloc.Buffer) { b.Available() },
	"AvailableBuffer": func(b *palloc.Buffer) { b.AvailableBuffer() },
	"Bytes":           func(b *palloc.Buffer) { b.Bytes() },
	"Cap":             func(b *palloc.Buffer) { b.Cap() },
	"Clone":           func(b *palloc.Buffer) { b.Clone() },
	"Free":            (*palloc.Buffer).Free,
	"Grow":            func(b *palloc.Buffer) { b.Grow(0) },
	"Len":             func(b *palloc.Buffer) { b.Len() },
	"ReadFrom":        func(b *palloc.Buffer) { b.ReadFrom(strings.NewReader("x")) },
	"Reset":           (*palloc.Buffer).Reset,
	"String":          func(b *palloc.Buffer) { _ = b.String() },
	"Truncate":        func(b *palloc.Buffer) { b.Truncate(0) },
	"TryGrow":         func(b *palloc.Buffer) { b.TryGrow(1) },
	"Write":           func(b *palloc.Buffer) { b.Write(nil) },
	"WriteByte":       func(b *palloc.Buffer) { b.WriteByte('x') },
	"WriteRune":       func(b *palloc.Buffer) { b.WriteRune('ä') },
	"WriteString":     func(b *palloc.Buffer) { b.WriteString("x") },
	"WriteTo":         func(b *palloc.Buffer) { b.WriteTo(io.Discard) },
}

// wantVoid checks that every use of the Buffer is refused.
func wantVoid(t *testing.T, b *palloc.Buffer, where, reason string) {
	t.Helper()
	for name, use := range bufferUses {
		wantFault(t, func() { use(b) }, "Buffer."+name, where, reason)
	}
}

func TestBufferUsesAreAllMethods(t *testing.T) {
	methods := reflect.TypeFor[*palloc.Buffer]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; bufferUses[name] == nil {
			t.Errorf("the table of uses lacks the method %s", name)
		}
	}
}

func TestABufferIsVoidWhenItsBytesAre(t *testing.T) {
	mustBePlain(t)
	for _, size := range []int{1, 64, 2000, 100_000} {
		each(t, growing, func(t *testing.T, k palloc.Kind) {
			mc := newRoot(t)
			c := newKind(mc, k, "c", 0)
			written := func() *palloc.Buffer {
				b := palloc.NewBuffer(c)
				b.Write(make([]byte, size))
				return b
			}
			b := written()
			c.Reset()
			wantVoid(t, b, "Top/test/c", "invalid")
			c.Alloc(8)
			c.Reset() // once more
			next := written()
			scribble(next.Bytes(), 1)
			wantVoid(t, b, "Top/test/c", "invalid")
			if k != palloc.KindBump {
				copied, freed := *next, *next
				for _, n := range []int{1, 2 * next.Cap()} {
					wantFault(t, func() { copied.Write(make([]byte, n)) }, "Buffer.Write", "Top/test/c", "was copied")
				}
				freed.Free()
				wantVoid(t, next, "Top/test/c", "invalid")
				wantVoid(t, &copied, "Top/test/c", "invalid")
				wantEmpty(t, c)
				b = written()
				palloc.FreePointer(chunkOf(b))
				wantVoid(t, b, "Top/test/c", "invalid")
			} else if !scribbled(next.Bytes(), 1) {
				t.Error("the void Buffer wrote into the next one")
			}
			b, none := written(), palloc.NewBuffer(c)
			c.Delete()
			wantVoid(t, b, "c", "deleted")
			wantVoid(t, none, "c", "deleted")
			newKind(mc, k, "c", 0).Alloc(64)
			wantVoid(t, b, "", "has served another one since")
			wantVoid(t, none, "", "has served another one since")
			wantOrder(t, mc)
		})
	}
}

func TestABufferWithoutBytesLivesOn(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		b := palloc.NewBuffer(c)
		c.Reset()
		c.Alloc(100)
		c.Reset()
		if b.Len() != 0 || b.Bytes() != nil || b.String() != "" || b.Cap() != 0 {
			t.Errorf("it has %d bytes", b.Len())
		}
		c.Alloc(100)
		c.Reset()
		if n, err := b.WriteString("text"); n != 4 || err != nil || b.String() != "text" {
			t.Errorf("%d, %v, and then it has %q", n, err, b)
		}
	})
}

func TestABufferOfADeletedContextIsVoidEvenIfItWasEmpty(t *testing.T) {
	mustBePlain(t)
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 0)
		b := palloc.NewBuffer(c)
		c.Delete()
		wantVoid(t, b, "c", "deleted")
		next := newKind(mc, k, "c", 0)
		wantVoid(t, b, "", "has served another one since")
		if !next.IsEmpty() {
			t.Errorf("the next context allocated %+v for it", next.Stats())
		}
	})
}

func TestTheZeroBufferSaysWhatToDo(t *testing.T) {
	wantVoid(t, new(palloc.Buffer), "", "NewBuffer")
}

func TestABufferWantsAKindWithChunksOfAnySize(t *testing.T) {
	c := palloc.NewSlab(newRoot(t), "c", 64)
	wantFault(t, func() { palloc.NewBuffer(c) }, "NewBuffer", "Top/test/c", "another kind")
}

func TestABumpFreesNoBuffer(t *testing.T) {
	b := palloc.NewBuffer(palloc.NewBump(newRoot(t), "c"))
	b.Free() // it has no chunk
	b.WriteString("text")
	wantFault(t, b.Free, "Buffer.Free", "Top/test/c", "Bump")
	if b.String() != "text" {
		t.Errorf("it has %q", b)
	}
}

func TestABuffersSizesAreChecked(t *testing.T) {
	b := palloc.NewBuffer(newRoot(t))
	b.WriteString("text")
	for _, n := range []int{-1, math.MinInt} {
		wantFault(t, func() { b.Grow(n) }, "Buffer.Grow", "Top/test", "not be negative")
		wantFault(t, func() { b.TryGrow(n) }, "Buffer.TryGrow", "Top/test", "not be negative")
		wantFault(t, func() { b.Truncate(n) }, "Buffer.Truncate", "Top/test", "to be kept of 4")
	}
	wantFault(t, func() { b.Grow(math.MaxInt) }, "Buffer.Grow", "Top/test", "is not a size")
	wantFault(t, func() { b.TryGrow(math.MaxInt - 4) }, "Buffer.TryGrow", "Top/test", "is not a size")
	wantFault(t, func() { b.Truncate(5) }, "Buffer.Truncate", "Top/test", "to be kept of 4")
	if b.String() != "text" {
		t.Errorf("it has %q", b)
	}
}

func TestABufferThatRunsOutKeepsWhatItHas(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		b := palloc.NewBuffer(c)
		b.WriteString("begin")
		c.SetLimit(32 << 10)
		var err error
		for err == nil {
			_, err = b.Write(make([]byte, 1000))
		}
		for err = nil; err == nil; { // the next write must grow
			err = b.WriteByte(0)
		}
		kept := b.Clone()
		long := strings.Repeat("x", 40_000)
		for name, write := range map[string]func() (any, error){
			"Buffer.Write":       func() (any, error) { return b.Write([]byte(long)) },
			"Buffer.WriteString": func() (any, error) { return b.WriteString(long) },
			"Buffer.WriteByte":   func() (any, error) { return 0, b.WriteByte(1) },
			"Buffer.WriteRune":   func() (any, error) { return b.WriteRune('ä') },
			"Buffer.TryGrow":     func() (any, error) { return 0, b.TryGrow(40_000) },
			"Buffer.ReadFrom":    func() (any, error) { return b.ReadFrom(strings.NewReader(long)) },
			"Buffer.Grow":        func() (n any, err error) { return 0, asError(func() { b.Grow(40_000) }) },
		} {
			n, err := write()
			var oom *palloc.OutOfMemoryError
			if !errors.As(err, &oom) || oom.Op != name || oom.Context != c.Path() || fmt.Sprint(n) != "0" {
				t.Errorf("%s returns %v, %v", name, n, err)
			}
			if !bytes.Equal(b.Bytes(), kept) {
				t.Fatalf("%s changed what was there", name)
			}
		}
		if _, err := fmt.Fprintf(b, "%s", long); err == nil || !bytes.Equal(b.Bytes(), kept) {
			t.Errorf("Fprintf returns %v", err)
		}
		if _, err := fmt.Fprint(io.MultiWriter(b), long); err == nil {
			t.Error("a writer around it says nothing")
		}
		c.SetLimit(palloc.NoLimit)
		if _, err := b.WriteString(long); err != nil || b.Len() != len(kept)+len(long) || !bytes.HasPrefix(b.Bytes(), kept) {
			t.Errorf("without a limit: %v, %d bytes", err, b.Len())
		}
	})
}

func TestReadFromKeepsWhatItReadBeforeItRanOut(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	b := palloc.NewBuffer(c)
	c.SetLimit(64 << 10)
	n, err := b.ReadFrom(iotest.HalfReader(strings.NewReader(strings.Repeat("x", 1<<20))))
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || n == 0 || int64(b.Len()) != n ||
		strings.Count(b.String(), "x") != b.Len() {
		t.Errorf("%d bytes were read, %v; it has %d", n, err, b.Len())
	}
}

// A caller is foreign code that is given a Buffer's bytes.
type caller func(p []byte) (int, error)

func (c caller) Read(p []byte) (int, error)  { return c(p) }
func (c caller) Write(p []byte) (int, error) { return c(p) }

func TestForeignCodeThatMisbehavesIsAFault(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		for name, bad := range map[string]struct {
			call   func(b *palloc.Buffer, c palloc.Context, p []byte) (int, error)
			reason string
		}{
			"a negative count":   {func(*palloc.Buffer, palloc.Context, []byte) (int, error) { return -1, nil }, "a count of -1"},
			"too many":           {func(_ *palloc.Buffer, _ palloc.Context, p []byte) (int, error) { return len(p) + 1, nil }, "a count of"},
			"it writes":          {func(b *palloc.Buffer, _ palloc.Context, p []byte) (int, error) { return len(p), b.WriteByte('x') }, "used the Buffer"},
			"it grows":           {func(b *palloc.Buffer, _ palloc.Context, p []byte) (int, error) { b.Grow(100_000); return 0, nil }, "used the Buffer"},
			"it empties":         {func(b *palloc.Buffer, _ palloc.Context, p []byte) (int, error) { b.Reset(); return 0, nil }, "used the Buffer"},
			"it resets":          {func(_ *palloc.Buffer, c palloc.Context, p []byte) (int, error) { c.Reset(); return 0, nil }, "invalid"},
			"it deletes":         {func(_ *palloc.Buffer, c palloc.Context, p []byte) (int, error) { c.Delete(); return 0, nil }, "deleted"},
			"the copy of a view": {func(b *palloc.Buffer, _ palloc.Context, p []byte) (int, error) { return b.Write(p) }, "used the Buffer|a count of"},
		} {
			for _, op := range []string{"Buffer.ReadFrom", "Buffer.WriteTo"} {
				t.Run(op+" "+name, func(t *testing.T) {
					c := newKind(mc, k, "c", 0)
					b := palloc.NewBuffer(c)
					b.WriteString("text")
					foreign := caller(func(p []byte) (int, error) { return bad.call(b, c, p) })
					where := "Top/test/c"
					if name == "it deletes" {
						where = "c"
					}
					wantFault(t, func() {
						if op == "Buffer.ReadFrom" {
							b.ReadFrom(foreign)
							return
						}
						b.WriteTo(foreign)
					}, op, where, bad.reason)
					if c.Live() {
						c.Delete()
					}
				})
			}
		}
		wantOrder(t, mc)
	})
}

func TestWriteToSaysWhatWasTooShort(t *testing.T) {
	b := palloc.NewBuffer(newRoot(t))
	b.WriteString("text")
	n, err := b.WriteTo(caller(func(p []byte) (int, error) { return 3, nil }))
	if n != 3 || err != io.ErrShortWrite || b.String() != "t" {
		t.Errorf("%d, %v, and %q is left", n, err, b)
	}
}

func TestAPressureCallbackMayNotUseTheBufferThatGrows(t *testing.T) {
	mc := newRoot(t)
	for name, use := range map[string]func(b *palloc.Buffer){
		"Truncate": func(b *palloc.Buffer) { b.Truncate(1) },
		"Free":     (*palloc.Buffer).Free,
	} {
		t.Run(name, func(t *testing.T) {
			c := palloc.NewAllocSet(mc, "c")
			defer c.Delete()
			b := palloc.NewBuffer(c)
			b.Write(make([]byte, 10_000))
			c.SetSoftLimit(11_000)
			c.OnPressure(func(palloc.Pressure) error { use(b); return nil })
			wantFault(t, func() { b.Write(make([]byte, 20_000)) }, "Buffer.Write", "Top/test/c", "OnPressure used the Buffer")
		})
	}
	wantOrder(t, mc)
}

func TestABufferMakesNoGarbage(t *testing.T) {
	mustBePlain(t)
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	text, source := strings.Repeat("x", 3000), strings.NewReader("")
	args := []any{"%s and %d", "text", int64(1 << 40)}
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		kept := palloc.NewBuffer(c)
		kept.Grow(10_000)
		plain := func() {
			call := newKind(c, k, "call", 0)
			b := palloc.NewBuffer(call) // stays on the stack
			for range 100 {
				b.WriteString("text")
				b.WriteByte('-')
				b.WriteRune('ä')
				b.Write(b.Bytes()[:3])
			}
			if k != palloc.KindBump {
				b.Free()
			}
			call.Delete()
		}
		printed := func() {
			kept.Reset()
			for range 10 {
				fmt.Fprintf(kept, args[0].(string), args[1:]...)
				kept.Write(strconv.AppendInt(kept.AvailableBuffer(), 1<<40, 10))
			}
			source.Reset(text)
			kept.ReadFrom(source)
			kept.WriteTo(io.Discard)
		}
		for name, do := range map[string]func(){"writes": plain, "printing, reading and writing out": printed} {
			for range 100 {
				do()
			}
			if n := testing.AllocsPerRun(200, do); n != 0 {
				t.Errorf("%s: %v objects on Go's heap each time", name, n)
			}
		}
	})
}

func TestACloneOfABufferOutlivesIt(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	b := palloc.NewBuffer(c)
	b.WriteString("kept")
	clone := b.Clone()
	c.Delete()
	if !slices.Equal(clone, []byte("kept")) {
		t.Errorf("the clone is %q", clone)
	}
}

func TestManyBuffersGrowInASharedContext(t *testing.T) {
	c := newShared(t)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			b := palloc.NewBuffer(c)
			for i := range 300 {
				fmt.Fprintf(b, "%d:%d ", g, i)
				if b.Len() > 0 && palloc.ContextOf(chunkOf(b)) != c {
					t.Error("its chunk is another context's")
				}
				s := palloc.Sprintf(c, "%s", b.Bytes())
				if s != b.String() || palloc.UsableSize(unsafe.Pointer(unsafe.StringData(s))) < b.Len() {
					t.Error("a copy differs")
				}
				palloc.FreeString(s)
			}
			if text := b.String(); !strings.HasPrefix(text, fmt.Sprintf("%d:0 ", g)) || strings.Count(text, " ") != 300 {
				t.Errorf("it has %.40q", text)
			}
			b.Free()
		})
	}
	group.Wait()
	wantEmpty(t, c)
	b := palloc.NewBuffer(c)
	b.WriteString("text")
	c.Reset()
	wantVoid(t, b, c.Path(), "invalid")
	palloc.NewBuffer(c).WriteString("text")
	wantVoid(t, b, c.Path(), "invalid")
}
