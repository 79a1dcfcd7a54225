package palloc_test

import (
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Text, Ref and Vec: values that refer to memory of contexts and hold no Go pointers.

// A person is made of such values, and promises nothing.
type person struct {
	id      int
	name    palloc.Text
	parent  palloc.Ref[person]
	friends palloc.Vec[palloc.Ref[person]]
	notes   palloc.Vec[palloc.Text]
	scores  palloc.Vec[palloc.Vec[float64]]
}

// A half needs a promise for its other field.
type half struct {
	palloc.Text
	p *int
}

// TestWhatNewAcceptsWithoutAPromise lists it.
func TestWhatNewAcceptsWithoutAPromise(t *testing.T) {
	mc := newRoot(t)
	refused[palloc.Text](t, mc, "", "")
	refused[[3]palloc.Text](t, mc, "", "")
	refused[palloc.Ref[holder]](t, mc, "", "")
	refused[palloc.Ref[string]](t, mc, "", "")
	refused[palloc.Vec[int]](t, mc, "", "")
	refused[palloc.Vec[palloc.Vec[palloc.Text]]](t, mc, "", "")
	refused[person](t, mc, "", "")
	palloc.NewUninitialized[person](mc) // it has no pointers
	palloc.MakeSlice[person](mc, 1, 2)
	refused[half](t, mc, "palloc_test.half.p (*int) is a Go pointer", "palloc.NoHeapPointers")
	if n := unsafe.Sizeof(palloc.Text{}); n > 16 {
		t.Errorf("a Text has %d bytes", n)
	}
	if n := unsafe.Sizeof(palloc.Ref[person]{}); n != unsafe.Sizeof(uintptr(0)) {
		t.Errorf("a Ref has %d bytes", n)
	}
	if n := unsafe.Sizeof(palloc.Vec[person]{}); n != unsafe.Sizeof([]person{}) {
		t.Errorf("a Vec has %d bytes", n)
	}
}

func TestATextIsItsString(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		seed := maphash.MakeSeed()
		list := []string{"", "a", "aa", "b", "ä", "\x00", strings.Repeat("long ", 1000)}
		for _, s := range list {
			text, bytes := palloc.NewText(c, s), palloc.NewText(c, []byte(s))
			tried, err := palloc.TryNewText(c, s)
			if text.String() != s || bytes.String() != s || tried.String() != s || err != nil || text.Len() != len(s) || fmt.Sprint(text) != s {
				t.Fatalf("the Text of %.20q is %.20q, %.20q, %.20q, %v", s, text, bytes, tried, err)
			}
			if !text.Equal(bytes) || text.Hash(seed) != maphash.String(seed, s) || string(text.AppendTo([]byte("x"))) != "x"+s {
				t.Errorf("%.20q: Equal, Hash or AppendTo", s)
			}
			for _, other := range list {
				u := palloc.NewText(c, other)
				if text.Equal(u) != (s == other) || text.Compare(u) != strings.Compare(s, other) {
					t.Errorf("%.20q and %.20q: Equal is %v, Compare %d", s, other, text.Equal(u), text.Compare(u))
				}
			}
			if k.Frees() {
				palloc.FreeString(text.String())
			}
		}
		whole := palloc.Sprintf(c, "%d apples", 17)
		if part := palloc.TextOf(whole[3:]); part.String() != "apples" {
			t.Errorf("a part is %q", part)
		}
	})
}

func TestARefIsItsPointer(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		var none palloc.Ref[person]
		p := palloc.New[person](c)
		p.parent = palloc.RefOf(palloc.New[person](c))
		p.parent.Get().id = 7
		if r := palloc.RefOf(p); r.Get() != p || r.IsNil() || r != palloc.RefOf(p) || r.Get().parent.Get().id != 7 || r == p.parent {
			t.Error("a Ref is not its pointer")
		}
		if none.Get() != nil || !none.IsNil() || palloc.RefOf[person](nil) != none {
			t.Error("the zero Ref is not nil")
		}
		made := palloc.NewRef[person](c)
		if tried, err := palloc.TryNewRef[person](c); err != nil || tried == made || tried.IsNil() || tried.Get().id != 0 {
			t.Errorf("TryNewRef: %v, %v", tried, err)
		}
		if made.Get().id = 8; made != palloc.RefOf(made.Get()) || made.Get().parent != none {
			t.Error("a Ref of a new person is not its pointer")
		}
		people := palloc.MakeSlice[person](c, 3, 3)
		if palloc.RefOf(&people[2].id).Get() != &people[2].id {
			t.Error("a Ref to a field of an element")
		}
	})
}

func TestAVecIsItsSlice(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		var v palloc.Vec[int32]
		if v.Len() != 0 || len(v.Slice()) != 0 {
			t.Error("the zero Vec is not empty")
		}
		v.Append(c)
		var want []int32
		for i := range int32(1000) {
			v.Append(c, i, -i)
			if err := v.TryAppend(c, v.Slice()[:1]...); err != nil {
				t.Fatal(err)
			}
			want = append(want, i, -i, 0)
		}
		*v.At(5) = 99
		want[5] = 99
		var got []int32
		for i, p := range v.All() {
			if got = append(got, *p); i != len(got)-1 {
				t.Errorf("the index is %d", i)
			}
			if i == 10 {
				break
			}
		}
		if !slices.Equal(v.Slice(), want) || !slices.Equal(got, want[:11]) || v.Len() != len(want) {
			t.Errorf("%d elements: %v", v.Len(), got)
		}
		v.Truncate(2)
		v.Append(c, 5)
		if !slices.Equal(v.Slice(), []int32{0, 0, 5}) {
			t.Errorf("truncated and appended: %v", v.Slice())
		}
		if panics(func() { v.Truncate(4) }) == nil || panics(func() { v.At(3) }) == nil || panics(func() { v.Truncate(-1) }) == nil {
			t.Error("what is not there is there")
		}
		made := palloc.VecOf(palloc.MakeSlice[int32](c, 2, 8))
		made.Append(c, 1)
		if !slices.Equal(made.Slice(), []int32{0, 0, 1}) {
			t.Errorf("made of a slice: %v", made.Slice())
		}
		var nothing palloc.Vec[struct{}]
		nothing.Append(c, struct{}{}, struct{}{})
		if nothing.Len() != 2 || len(nothing.Slice()) != 2 {
			t.Errorf("%d elements without a size", nothing.Len())
		}
		if k.Frees() {
			v.Free()
			made.Free()
			v.Free()
			if wantEmpty(t, c); v.Len() != 0 {
				t.Error("a freed Vec has elements")
			}
		}
	})
}

func TestNewRefReturnsZeros(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for range 3 {
			for range 100 {
				r := palloc.NewRef[[40]byte](c)
				if *r.Get() != [40]byte{} {
					t.Fatal("not zeroed")
				}
				scribble(r.Get()[:], 5)
			}
			c.Reset()
		}
	})
}

// sizeOfFirst appends one element to a zero Vec, and returns how many it has room for.
func sizeOfFirst[T any](mc palloc.Context) int {
	var v palloc.Vec[T]
	v.Append(mc, *new(T))
	return cap(v.Slice())
}

func TestAVecBeginsWithMoreThanOneElement(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for name, sizes := range map[string][2]int{
			"a byte":    {sizeOfFirst[byte](c), 8},
			"2 bytes":   {sizeOfFirst[uint16](c), 4},
			"8 bytes":   {sizeOfFirst[uint64](c), 4},
			"24 bytes":  {sizeOfFirst[[3]uint64](c), 4},
			"256 bytes": {sizeOfFirst[[32]uint64](c), 4},
		} {
			if sizes[0] < sizes[1] {
				t.Errorf("elements of %s: room for %d, and %d is the least", name, sizes[0], sizes[1])
			}
		}
		var v palloc.Vec[uint64]
		v.Append(c, 0)
		first := v.At(0)
		if c.Alloc(8); k == palloc.KindBump && cap(v.Slice()) != 4 {
			t.Errorf("room for %d in a Bump", cap(v.Slice()))
		}
		v.Append(c, 1, 2)
		if v.Append(c, 3); v.At(0) != first || !slices.Equal(v.Slice(), []uint64{0, 1, 2, 3}) {
			t.Errorf("it moved, or is %v", v.Slice())
		}
	})
	if n := sizeOfFirst[[257]byte](palloc.NewBump(newRoot(t), "c")); n != 1 {
		t.Errorf("room for %d elements of 257 bytes", n)
	}
	if n := sizeOfFirst[uint64](palloc.NewSlab(newRoot(t), "c", 8)); n != 1 {
		t.Errorf("room for %d elements in a Slab of one", n)
	}
}

func TestValuesAreMadeOfContextsOnly(t *testing.T) {
	heap, local := new(person), strings.Repeat("on Go's heap", 3)
	mc := newRoot(t)
	wantFault(t, func() { palloc.RefOf(heap) }, "RefOf", "", "belongs to no context")
	wantFault(t, func() { palloc.TextOf(local) }, "TextOf", "", "belongs to no context")
	wantFault(t, func() { palloc.TextOf("constant") }, "TextOf", "", "with NewText")
	wantFault(t, func() { palloc.VecOf(make([]int, 3)) }, "VecOf", "", "belongs to no context")
	wantFault(t, func() { new(palloc.Vec[string]).Append(mc, "x") }, "Vec.Append[string]", "", "string holds a Go pointer")
	if palloc.TextOf("").Len() != 0 || palloc.VecOf([]int{}).Len() != 0 {
		t.Error("nothing is something")
	}
}

func TestValuesRunOut(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	var v palloc.Vec[int64]
	v.Append(c, 1, 2)
	c.SetLimit(8 << 10)
	err := v.TryAppend(c, make([]int64, 10_000)...)
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Op != "Vec.TryAppend" || !slices.Equal(v.Slice(), []int64{1, 2}) {
		t.Errorf("%v, %v", v.Slice(), err)
	}
	text, err := palloc.TryNewText(c, strings.Repeat("x", 100_000))
	if !errors.As(err, &oom) || oom.Op != "TryNewText" || text.Len() != 0 {
		t.Errorf("%d bytes, %v", text.Len(), err)
	}
	if err := asError(func() { v.Append(c, make([]int64, 10_000)...) }); !errors.As(err, &oom) || oom.Op != "Vec.Append" {
		t.Errorf("the panic is %v", err)
	}
}

func TestACheckedContextNoticesValuesOfEndedMemory(t *testing.T) {
	mc := newRoot(t)
	fill := func() (c palloc.Context, p *person) {
		c = palloc.NewAllocSet(mc, "c", palloc.Checked())
		p = &person{name: palloc.NewText(c, "name"), parent: palloc.RefOf(palloc.New[person](c))}
		p.friends.Append(c, p.parent)
		return c, p
	}
	ends := map[string]func(c palloc.Context, p *person){
		"freed by": func(_ palloc.Context, p *person) {
			palloc.FreeString(p.name.String())
			palloc.Free(p.parent.Get())
			palloc.FreeSlice(p.friends.Slice())
		},
		"reset by Context.Reset":    func(c palloc.Context, _ *person) { c.Reset() },
		"deleted by Context.Delete": func(c palloc.Context, _ *person) { c.Delete() },
	}
	for how, end := range ends {
		c, p := fill()
		if p.name.String() != "name" || p.friends.At(0).Get().id != 0 {
			t.Error("valid values are not valid")
		}
		end(c, p)
		for op, use := range map[string]func(){
			"Text.String": func() { _ = p.name.String() },
			"Ref.Get":     func() { p.parent.Get() },
			"Vec.Slice":   func() { p.friends.At(0) },
			"RefOf":       func() { palloc.RefOf(&unsafe.Slice((*byte)(unsafe.Pointer(p.parentAddress())), 1)[0]) },
		} {
			f := faultOf(t, use)
			if f == nil || f.Op != op || f.Mistake != palloc.AccessAfterEnd || !strings.Contains(f.Reason, how) || len(f.Made) == 0 || len(f.Ended) == 0 {
				t.Errorf("%s after it was %s: %v", op, how, f)
			}
		}
	}
}

// parentAddress returns the address that the Ref holds, ended or not.
func (p *person) parentAddress() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p.parent)) }

// A form has everything that CloneValue follows.
type form struct {
	n       int
	name    string
	tags    []string
	blob    []byte
	next    *form
	byValue struct{ inner [2]entry }
	table   [][]*entry
	text    palloc.Text
	ref     palloc.Ref[entry]
	vec     palloc.Vec[palloc.Text]
	none    *form
	empty   []int
	sizes   []struct{}
	unit    *struct{}
	wide    [3]struct {
		_    int8
		name string
	}
}

type entry struct {
	key  string
	list []int64
	up   *struct{ back [1]entry } // a type that comes back to itself by value
}

// aForm returns a form, of which the last parts lie in a context.
func aForm(mc palloc.Context) form {
	note := func(s string) string { return strings.Clone("note " + s) }
	f := form{n: 7, name: note("a"), tags: []string{note("b"), "", note("c")}, blob: []byte("blob"), empty: []int{}, sizes: make([]struct{}, 5), unit: &struct{}{}}
	f.next = &form{n: 8, tags: make([]string, 1, 10), next: &form{name: note("d")}}
	f.byValue.inner[1] = entry{note("e"), []int64{1, 2, 3}, &struct{ back [1]entry }{[1]entry{{key: note("f")}}}}
	f.table = [][]*entry{nil, {{key: note("g"), list: []int64{9}}, nil}, {}}
	f.wide[2].name = note("h")
	f.text = palloc.NewText(mc, "in a context")
	e := palloc.CloneValue(mc, entry{key: note("i")})
	f.ref = palloc.RefOf(e)
	f.vec.Append(mc, f.text, palloc.NewText(mc, "another"))
	return f
}

// flat returns a form without what ends with its context, and that as a text.
func flat(f form) (form, string) {
	said := fmt.Sprint(f.text, *f.ref.Get(), f.vec.Slice())
	f.text, f.ref, f.vec = palloc.Text{}, palloc.Ref[entry]{}, palloc.Vec[palloc.Text]{}
	return f, said
}

func TestCloneValueCopiesAll(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c, other := newKind(mc, k, "c", 0), palloc.NewAllocSet(mc, "other")
		was := aForm(other)
		clone := palloc.CloneValue(c, was)
		tried, err := palloc.TryCloneValue(c, was)
		if err != nil {
			t.Fatal(err)
		}
		again := palloc.CloneValue(c, *clone)
		want, said := flat(aForm(other))
		clear(was.blob)
		was.table[1][0].key, was.next.next.name = "changed", "changed"
		other.Reset()
		for range 3 {
			runtime.GC()
		}
		for _, f := range []*form{clone, tried, again} {
			if got, text := flat(*f); !reflect.DeepEqual(got, want) || text != said {
				t.Errorf("the clone is\n%+v %s, not\n%+v %s", got, text, want, said)
			}
			if cap(f.next.tags) != 1 || f.empty == nil || len(f.sizes) != 5 {
				t.Errorf("its slices: %d %v %d", cap(f.next.tags), f.empty, len(f.sizes))
			}
			f.tags = append(f.tags[:0], "written") // within its capacity
			if k.Frees() {
				if palloc.ContextOf(unsafe.Pointer(f)) != c {
					t.Error("it lies elsewhere")
				}
				palloc.Free(f)
			}
		}
		if k.Frees() {
			wantEmpty(t, c)
		}
	})
}

type (
	withMapInside struct {
		ok    int
		inner []struct{ m map[string]int }
	}
	withAny    struct{ list [2]any }
	withFunc   struct{ f *func() }
	withChan   struct{ c chan int }
	withUnsafe struct{ p unsafe.Pointer }
	embedder   struct {
		palloc.Text
		list []int
	}
)

func TestCloneValueRefusesWhatItCannotCopy(t *testing.T) {
	mc := newRoot(t)
	for range 2 { // the second time the type is known
		wantFault(t, func() { palloc.CloneValue(mc, withMapInside{}) }, "CloneValue[palloc_test.withMapInside]", "Top/test", "withMapInside.inner[].m (map[string]int) cannot be copied")
		wantFault(t, func() { palloc.TryCloneValue(mc, withAny{}) }, "TryCloneValue[palloc_test.withAny]", "Top/test", "withAny.list[] (interface {})")
		wantFault(t, func() { palloc.CloneValue(mc, withFunc{}) }, "CloneValue[palloc_test.withFunc]", "Top/test", "withFunc.f (func())")
		wantFault(t, func() { palloc.CloneValue(mc, withChan{}) }, "CloneValue[palloc_test.withChan]", "Top/test", "withChan.c (chan int)")
		wantFault(t, func() { palloc.CloneValue(mc, withUnsafe{}) }, "CloneValue[palloc_test.withUnsafe]", "Top/test", "withUnsafe.p (unsafe.Pointer)")
	}
	cycle := &form{}
	cycle.next = &form{next: cycle}
	wantFault(t, func() { palloc.CloneValue(mc, *cycle) }, "CloneValue[palloc_test.form]", "Top/test", "form.next leads on over more than 10000 references: it is a cycle")
	wantEmpty(t, mc)
}

// A chain refers to the next of its kind.
type chain struct{ next *chain }

func TestCloneValueOfOtherTypes(t *testing.T) {
	mc := newRoot(t)
	if s := palloc.CloneValue(mc, "a string"); *s != "a string" {
		t.Errorf("%q", *s)
	}
	if p := palloc.CloneValue(mc, [3]int{1, 2, 3}); p[2] != 3 {
		t.Errorf("%v", *p)
	}
	if list := palloc.CloneValue(mc, []string{"a", "b"}); !slices.Equal(palloc.Append(mc, *list, "c"), []string{"a", "b", "c"}) {
		t.Errorf("%v", *list)
	}
	if e := palloc.CloneValue(mc, embedder{palloc.NewText(mc, "text"), []int{4}}); e.String() != "text" || e.list[0] != 4 {
		t.Errorf("%v", *e)
	}
	palloc.CloneValue(mc, struct{}{})
	long := (*chain)(nil)
	for range 10_000 {
		long = &chain{long}
	}
	n := 0
	for p := palloc.CloneValue(mc, *long); p != nil; p = p.next {
		n++
	}
	if n != 10_000 {
		t.Errorf("a list of %d", n)
	}
	const header = int(unsafe.Sizeof([]int64{}))
	slab := palloc.NewSlab(mc, "slab", header)
	palloc.CloneValue(slab, []int64{1}[0:0])
	wantFault(t, func() { palloc.CloneValue(slab, "fourteen bytes") }, "CloneValue", "Top/test/slab",
		fmt.Sprintf("%d bytes, not of %d", header, 14+unsafe.Sizeof("")))
}

func TestCloneValueRunsOutAndChecks(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c", palloc.Checked())
	p := palloc.CloneValue(c, entry{key: "key", list: []int64{1, 2, 3}})
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	gone := palloc.CloneString(c, "gone")
	p.key = gone
	palloc.FreeString(gone)
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "palloc_test.entry.key in the chunk at") {
		t.Errorf("Check says %v", err)
	}
	c.Reset()
	c.SetLimit(64 << 10)
	_, err := palloc.TryCloneValue(c, entry{key: strings.Repeat("x", 100_000)})
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Op != "TryCloneValue" || !c.IsEmpty() {
		t.Errorf("%v", err)
	}
}

// TestValuesSurviveCollections runs itself in a child process, which collects at every chance and
// clobbers what it frees.
func TestValuesSurviveCollections(t *testing.T) {
	const variable = "PALLOC_TEST_VALUES"
	if os.Getenv(variable) != "" {
		keepValues(t)
		return
	}
	if runtime.GOARCH == "wasm" || testing.Short() {
		t.Skip("it runs itself in a child process")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestValuesSurviveCollections$", "-test.count=1")
	child.Env = append(os.Environ(), variable+"=1", "GOGC=1", "GODEBUG=clobberfree=1")
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// keepValues fills a struct of the values, collects a hundred times, and reads it.
func keepValues(t *testing.T) {
	mc := newRoot(t)
	clone := palloc.CloneValue(mc, aForm(mc))
	people := palloc.MakeSlice[person](mc, 1, 1000)
	for i := 1; i < cap(people); i++ {
		text := strings.Repeat(fmt.Sprint(i), 5)
		p := person{id: i, name: palloc.NewText(mc, text), parent: palloc.RefOf(&people[i/2])}
		p.friends.Append(mc, p.parent, palloc.RefOf(&people[i-1]))
		for j := range i % 5 {
			p.notes.Append(mc, palloc.NewText(mc, fmt.Sprintf("%d of %s", j, text)))
		}
		p.scores.Append(mc, palloc.VecOf(palloc.Clone(mc, []float64{float64(i)})))
		people = append(people, p)
	}
	var garbage [][]byte
	for range 100 {
		runtime.GC()
		garbage = append(garbage[:0], []byte(strings.Repeat("garbage", 1000)))
	}
	want, said := flat(aForm(mc))
	if got, text := flat(*clone); !reflect.DeepEqual(got, want) || text != said {
		t.Errorf("the clone is\n%+v %s, not\n%+v %s", got, text, want, said)
	}
	for i := 1; i < len(people); i++ {
		p, text := &people[i], strings.Repeat(fmt.Sprint(i), 5)
		if p.name.String() != text || p.parent.Get().id != i/2 || p.friends.At(1).Get() != &people[i-1] || p.notes.Len() != i%5 || *p.scores.At(0).At(0) != float64(i) {
			t.Fatalf("person %d is %v", i, p)
		}
		for j, note := range p.notes.All() {
			if want := fmt.Sprintf("%d of %s", j, text); note.String() != want {
				t.Fatalf("note %q of person %d", note, i)
			}
		}
	}
}

func TestValuesMakeNoGarbage(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	mustBePlain(t)
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	seed, b, sum := maphash.MakeSeed(), make([]byte, 0, 100), 0
	f := aForm(palloc.NewAllocSet(mc, "other"))
	do := func() {
		sum += len(palloc.CloneValue(c, f).tags)
		p := palloc.New[person](c)
		p.name = palloc.NewText(c, "a name")
		p.notes.Append(c, p.name, palloc.NewText(c, b))
		p.parent = palloc.RefOf(p)
		for i, note := range p.parent.Get().notes.All() {
			sum += i + note.Len() + note.Compare(p.name) + int(note.Hash(seed)&1) + len(note.AppendTo(b))
		}
		c.Reset()
	}
	do()
	if n := testing.AllocsPerRun(100, do); n != 0 {
		t.Errorf("%v objects on Go's heap each time", n)
	}
}
