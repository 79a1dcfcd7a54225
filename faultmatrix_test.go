package palloc_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The fault matrix: every misuse of memory, in every kind of context and size of chunk, is noticed by
// a checked context, with the facts that a program needs; the same program without the
// mistake is silent. This file has what a cell of the matrix is and how it runs. The misuses
// are in the files beside it, by family.

// A misuse is a mistake that a program makes: one row of the matrix.
type misuse struct {
	rows  string   // its numbers: in the matrix, and of the seeded bugs, B01 to B40
	what  string   // in words
	kinds string   // the kinds in which it can be made, by the letters of kindNames
	sizes []int    // of the chunks; nil for 64 bytes
	less  int      // bytes by which the size requested is less than that
	words []string // of Checked
	want  wanted
	spare string // kinds in which an ordinary build takes no harm
	then  string // the ways in which the program may go on, of goOn; "" for none
	skip  func(c *cell) string
	do    func(c *cell) // the misuse, or what is right
}

// wanted is what is to be noticed.
type wanted struct {
	mistake  []palloc.Mistake // one of these
	facts    string           // what the Fault must tell: of "chunk size made ended call other bytes=N"
	says     string           // what its text must contain; "|" separates alternatives
	by       string           // what notices it, for the table
	reads    byte             // what a stray read may yield instead of a Fault, 0 for nothing
	check    bool             // only Check can tell, by an error that is no Fault
	ordinary string           // what an ordinary build answers where chance has a part in it
}

// kindNames are the kinds, by the letters of misuse.kinds.
var kindNames = map[byte]string{'A': "AllocSet", 'S': "Slab", 'G': "Generation", 'B': "Bump", 'H': "Shared"}

// seeded are the sizes of the seeded bugs.
var seeded = []int{8, 4 << 10, 256 << 10}

// A place is a file and line of the program, "" for none.
type place string

// at returns v, and notes the line of the call. A call in the argument is on that line.
func at[T any](p *place, v T) T { *p = callersLine(); return v }

// do notes the line of the call and calls f, which is written on that line.
func (p *place) do(f func()) { *p = callersLine(); f() }

// here returns the line of the caller.
func here() place {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	frame, _ := runtime.CallersFrames(pcs[:]).Next()
	return placeOf(frame)
}

// callersLine returns the line of the caller's caller.
func callersLine() place {
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:])
	frame, _ := runtime.CallersFrames(pcs[:]).Next()
	return placeOf(frame)
}

func placeOf(f runtime.Frame) place {
	return place(fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line))
}

// A cell is one misuse, in a context of one kind, with chunks of one size.
type cell struct {
	*misuse
	letter  byte
	size    int
	right   bool // without the mistake
	checked bool

	parent, mc palloc.Context
	live       []unsafe.Pointer // chunks that the program has not freed

	// What is wanted of the Fault.
	made, ended, call place
	victim            unsafe.Pointer
	name              string // of the context concerned

	faults []*palloc.Fault // what was noticed
	read   []byte          // what a stray read yielded
	silent error           // of Check, not of a Fault
	told   bool            // what is wanted was noticed by other means than a Fault
	after  []func()        // what ends the cell
}

func (c *cell) String() string {
	mode := "wrong"
	if c.right {
		mode = "right"
	}
	return fmt.Sprintf("%s/%s/%d/%s/%s", c.rows, kindNames[c.letter], c.size, c.what, mode)
}

// create creates a context of the cell's kind.
func (c *cell) create(parent palloc.Context, name string) palloc.Context {
	var opts []palloc.Option
	if c.checked {
		opts = append(opts, palloc.Checked(c.words...))
	}
	switch c.letter {
	case 'S':
		return palloc.NewSlab(parent, name, c.size, opts...)
	case 'G':
		return palloc.NewGeneration(parent, name, opts...)
	case 'B':
		return palloc.NewBump(parent, name, opts...)
	case 'H':
		return palloc.NewAllocSet(parent, name, append(opts, palloc.Shared())...)
	}
	return palloc.NewAllocSet(parent, name, opts...)
}

// begin creates the cell's contexts.
func (c *cell) begin() {
	c.parent = palloc.NewAllocSet(palloc.Top(), "matrix")
	c.mc, c.name = c.create(c.parent, "victim"), "victim"
}

// chunks allocates three neighbours, of which the second is the victim.
func (c *cell) chunks() (before, p, next unsafe.Pointer) {
	for range 200 { // a Shared context has parts, in one of which they must be
		before = c.mc.Alloc(c.size)
		p = at(&c.made, c.mc.Alloc(c.size))
		next = c.mc.Alloc(c.size)
		if c.checked || c.letter != 'H' || uintptr(next)-uintptr(before) < uintptr(3*c.size+1<<10) && uintptr(next) > uintptr(p) {
			break
		}
	}
	for i, q := range []unsafe.Pointer{before, p, next} {
		fill(q, c.size, byte(0x10+i))
		c.live = append(c.live, q)
	}
	c.victim = p
	return before, p, next
}

// free frees a chunk that chunks returned. It is where the program frees: c.ended.
func (c *cell) free(p unsafe.Pointer) {
	c.ended.do(func() { palloc.FreePointer(p) })
	c.gone(p)
}

// gone notes that the program does not have a chunk any more.
func (c *cell) gone(p unsafe.Pointer) {
	c.live = slices.DeleteFunc(c.live, func(q unsafe.Pointer) bool { return p == q })
}

// late does end and use: in the right order the use comes first.
func (c *cell) late(end, use func()) {
	if c.right {
		use()
		end()
		return
	}
	end()
	use()
}

// write writes n bytes at an offset from p.
func (c *cell) write(p unsafe.Pointer, off, n int, v byte) {
	c.call = callersLine()
	write(uintptr(p)+uintptr(off), n, v)
}

// look reads a byte at an offset from p, where the program must not read.
func (c *cell) look(p unsafe.Pointer, off int) {
	c.call = callersLine()
	c.saw(read(uintptr(p) + uintptr(off)))
}

// saw notes what a stray read yielded.
func (c *cell) saw(b byte) { c.read = append(c.read, b) }

//go:noinline
//go:norace
func write(p uintptr, n int, v byte) {
	for i := range n {
		*(*byte)(osmem.At(p + uintptr(i))) = v
	}
}

//go:noinline
//go:norace
func read(p uintptr) byte { return *(*byte)(osmem.At(p)) }

func fill(p unsafe.Pointer, n int, v byte) { write(uintptr(p), n, v) }

// goOn are the ways in which a program may go on after a misuse that nothing noticed yet.
var goOn = map[string]func(c *cell){
	"free": func(c *cell) {
		for len(c.live) > 0 {
			p := c.live[len(c.live)-1]
			c.call.do(func() { palloc.FreePointer(p) })
			c.gone(p)
		}
	},
	"resize": func(c *cell) {
		for _, p := range slices.Clone(c.live) {
			c.gone(p)
			c.call.do(func() { palloc.Realloc(p, c.size/2+1) })
		}
	},
	"compact": func(c *cell) { c.call.do(func() { c.mc.Compact() }) },
	"use": func(c *cell) {
		if c.letter == 'B' {
			return
		}
		for range 2 {
			var list []unsafe.Pointer
			for range min(300, 1<<20/c.size+8) {
				c.call.do(func() { list = append(list, c.mc.Alloc(c.size)) })
				fill(list[len(list)-1], c.size, 0xee)
			}
			for _, p := range list {
				c.call.do(func() { palloc.FreePointer(p) })
			}
		}
	},
	"reset":  func(c *cell) { c.call.do(func() { c.mc.Reset() }) },
	"delete": func(c *cell) { c.call.do(func() { c.mc.Delete() }) },
	"check":  func(c *cell) { c.check() },
	"settle": func(c *cell) { c.call.do(func() { c.mc.Compact() }); c.later() },
	"later":  (*cell).later,
}

// later goes on elsewhere until memory that was taken back leaves the quarantine.
func (c *cell) later() {
	d := palloc.NewAllocSet(c.parent, "later", palloc.Checked())
	for range 50 {
		for range 4 {
			d.Alloc(30 << 10)
		}
		c.call.do(func() { d.Reset() })
	}
}

// cannot reports whether the cell's kind has no such way to go on.
func (c *cell) cannot(how string) bool {
	return how == "resize" && (c.letter == 'B' || c.letter == 'S') || how == "free" && c.letter == 'B'
}

// check calls Check, and keeps the Faults of its error.
func (c *cell) check() {
	if !c.mc.Live() {
		return
	}
	err := c.mc.Check()
	if err == nil {
		return
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *palloc.Fault
		if errors.As(e, &f) {
			c.faults, c.call = append(c.faults, f), ""
		} else {
			c.silent = e
		}
	}
}

// catch calls f, and keeps the Faults of it, page faults among them. Any other panic is not recovered.
func (c *cell) catch(f func()) (ok bool) {
	stop := palloc.OnFault(func(f *palloc.Fault) { c.faults = append(c.faults, f) })
	defer stop()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		f := palloc.AsFault(r)
		if f == nil {
			panic(r)
		}
		if ok = false; !slices.Contains(c.faults, f) {
			c.faults = append(c.faults, f)
		}
	}()
	f()
	return true
}

// run does the misuse, or what is right, and then goes on.
func (c *cell) run(how string) {
	c.begin()
	if c.catch(func() { c.do(c) }) && how != "" {
		c.catch(func() { goOn[how](c) })
	}
}

// end deletes the cell's contexts, and forgets what was noticed in them.
func (c *cell) end() {
	for _, f := range c.after {
		f()
	}
	known := len(c.faults)
	for range 20 {
		if c.catch(func() { c.parent.Delete() }) || !c.parent.Live() {
			break
		}
	}
	if !c.right {
		c.faults = c.faults[:known]
	}
	checked.ExamineAll()
	for _, f := range checked.Pending() {
		if c.right {
			c.silent = f
		}
	}
}

// verdict returns what is amiss with what was noticed, "" if nothing.
func (c *cell) verdict() string {
	switch {
	case c.right && len(c.faults) > 0:
		return "a correct program has a Fault: " + c.faults[0].Error()
	case c.right && c.silent != nil:
		return "a correct program has an error: " + c.silent.Error()
	case c.right || c.told:
		return ""
	case len(c.faults) > 0:
		return c.fits(c.faults[0])
	case c.want.reads != 0 && len(c.read) > 0 && allAre(c.read, c.want.reads):
		return ""
	case len(c.read) > 0:
		return fmt.Sprintf("it is not noticed: %#x is read", c.read)
	case c.want.check && c.silent != nil:
		return c.contains(c.silent.Error())
	case c.silent != nil:
		return "Check has an error that is no Fault: " + c.silent.Error()
	}
	return "it is not noticed"
}

func allAre(list []byte, v byte) bool {
	for _, b := range list {
		if b != v {
			return false
		}
	}
	return true
}

// fits returns what a Fault lacks, "" if nothing.
func (c *cell) fits(f *palloc.Fault) string {
	lacks := func(what string, got, want any) string {
		return fmt.Sprintf("%s is %v; want %v: %v [%v]", what, got, want, f, f.Mistake)
	}
	if !slices.Contains(c.want.mistake, f.Mistake) {
		return lacks("the mistake", f.Mistake, c.want.mistake)
	}
	if c.name != "" && f.Context != c.name && f.Context != "Top/matrix/"+c.name {
		return lacks("the context", f.Context, c.name)
	}
	access := f.Op == "access"
	for fact := range strings.FieldsSeq(c.want.facts) {
		var n int
		switch {
		case fact == "chunk" && f.Chunk != uintptr(c.victim):
			return lacks("the chunk", fmt.Sprintf("%#x", f.Chunk), c.victim)
		case fact == "size" && f.Size != c.size:
			return lacks("the size", f.Size, c.size)
		case fact == "made" && !isAt(f.Made, c.made, 1):
			return lacks("the line of the allocation", places(f.Made), c.made)
		case fact == "ended" && !isAt(f.Ended, c.ended, 1):
			return lacks("the line of the end", places(f.Ended), c.ended)
		case fact == "call" && c.call != "" && !isAt(f.Call, c.call, 4):
			return lacks("the line of the call", places(f.Call), c.call)
		case fact == "other" && len(f.Other) == 0:
			return lacks("the line of the other goroutine", f.Other, "one")
		case strings.HasPrefix(fact, "bytes=") && !access:
			if fmt.Sscanf(fact, "bytes=%d", &n); f.Bytes != n {
				return lacks("the number of bytes", f.Bytes, n)
			}
		}
	}
	return c.contains(f.Error())
}

// contains returns what a text lacks, "" if nothing.
func (c *cell) contains(text string) string {
	says := strings.NewReplacer("$made", string(c.made), "$ended", string(c.ended), "$victim", fmt.Sprintf("%#x", uintptr(c.victim))).Replace(c.want.says)
	if !saysOneOf(text, says) {
		return fmt.Sprintf("the text does not say %q: %s", says, text)
	}
	return ""
}

// isAt reports whether one of the first n frames is at a line.
func isAt(frames []runtime.Frame, p place, n int) bool {
	for _, f := range frames[:min(n, len(frames))] {
		if placeOf(f) == p {
			return true
		}
	}
	return false
}

func places(frames []runtime.Frame) (list []place) {
	for _, f := range frames {
		list = append(list, placeOf(f))
	}
	return list
}

// misuses are all rows of the matrix.
var misuses = slices.Concat(bounds, lifetimes, badFrees, handles, pointersTo, goroutines, leaking, others)

// cells returns the cells of a misuse.
func (m *misuse) cells() (list []*cell) {
	sizes := m.sizes
	if sizes == nil {
		sizes = []int{64}
	}
	for i := range len(m.kinds) {
		for _, size := range sizes {
			list = append(list, &cell{misuse: m, letter: m.kinds[i], size: size - m.less, checked: true})
		}
	}
	return list
}

// score counts the cells of a test.
type score struct{ caught, cells, silent, twins int }

func TestFaultMatrix(t *testing.T) {
	if osmem.Current().Protects() {
		mustProtect(t)
	}
	var all score
	each := make([]score, len(misuses))
	for i := range misuses {
		m := &misuses[i]
		for _, c := range m.cells() {
			each[i].add(t, c)
		}
		all.caught, all.cells = all.caught+each[i].caught, all.cells+each[i].cells
		all.silent, all.twins = all.silent+each[i].silent, all.twins+each[i].twins
	}
	t.Logf("caught %d of %d, silent %d of %d", all.caught, all.cells, all.silent, all.twins)
	if why := noOrdinary(); why != "" {
		t.Logf("the ordinary build is not run: %s", why)
		return
	}
	answers := ordinaryAnswers(t)
	logShare(t, answers)
	wantTable(t, each, answers)
}

// add runs a cell with each way to go on, and its twin.
func (all *score) add(t *testing.T, c *cell) {
	t.Helper()
	if c.skip != nil {
		if why := c.skip(c); why != "" {
			t.Logf("%v: skipped: %s", c, why)
			return
		}
	}
	caught, silent := 1, 1
	for how := range strings.SplitSeq(c.then, " ") {
		if c.cannot(how) {
			continue
		}
		for _, right := range []bool{false, true} {
			one := *c
			one.right = right
			one.run(how)
			one.end()
			if amiss := one.verdict(); amiss != "" {
				t.Errorf("%v, then %q: %s", &one, how, amiss)
				if right {
					silent = 0
				} else {
					caught = 0
				}
			}
		}
	}
	all.caught, all.cells = all.caught+caught, all.cells+1
	all.silent, all.twins = all.silent+silent, all.twins+1
}
