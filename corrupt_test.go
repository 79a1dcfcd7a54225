package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	kindpkg "github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// Check finds corruption: each fault of the tree and its tables by itself, and any
// overwritten word of memory without failing. Each fault in blocks is tested in the
// packages of the kinds.

// overwrite writes a word. The returned function restores it.
func overwrite[T any](p *T, v T) (restore func()) {
	old := *p
	*p = v
	return func() { *p = old }
}

// links is a node with the words of the tree.
type links struct {
	kindpkg.Core
	nameKey                  uint64
	parent                   uint32
	prevSibling, nextSibling uint32
	name                     uint32
}

// slotOf returns the node of a context.
func slotOf(mc palloc.Context) *links {
	return kindpkg.Slot[links](*(**kindpkg.Core)(unsafe.Pointer(&mc))) // a Context begins with it
}

const (
	hasCallbacks = 1 << iota
	hasIdent
	hasListeners
	hasAccount
)

// A kin is a tree to break.
type kin struct {
	t             *testing.T
	mc            palloc.Context
	a, b, c, d    palloc.Context // children of mc, the latest first: d c b a
	below, cached palloc.Context // children of b and d; cached is deleted
}

func newKin(t *testing.T) *kin {
	f := &kin{t: t, mc: newRoot(t)}
	f.a, f.b = palloc.NewAllocSet(f.mc, "a"), palloc.NewGeneration(f.mc, "b")
	f.c, f.d = palloc.NewSlab(f.mc, "c", 64), palloc.NewBump(f.mc, "d")
	f.below, f.cached = palloc.NewAllocSet(f.b, "below"), palloc.NewAllocSet(f.d, "cached")
	for _, c := range []palloc.Context{f.mc, f.a, f.b, f.c, f.d, f.below, f.cached} {
		if c != f.c {
			c.Alloc(200)
		}
		c.Alloc(64)
	}
	f.a.SetIdent(strings.Repeat("ident", 100)) // long: a bit tells of it
	f.a.BeforeReset(func() {})
	f.a.OnPressure(func(palloc.Pressure) error { return nil })
	f.b.SetLimit(1 << 20)
	f.cached.Delete()
	return f
}

func number(mc palloc.Context) uint32 { return slotOf(mc).Number() }

var longName = strings.Repeat("long", 1<<14)

// breaks are the ways to break a tree, each with words of the error that Check returns.
var breaks = []struct {
	name  string
	words string
	do    func(f *kin) (restore func())
}{
	{"first child leads nowhere", "node 67108863, which does not exist", func(f *kin) func() {
		return overwrite(&slotOf(f.mc).FirstChild, 1<<26-1)
	}},
	{"first child is not the first", "behind 0, and that says a child of", func(f *kin) func() {
		return overwrite(&slotOf(f.mc).FirstChild, number(f.b))
	}},
	{"sibling leads nowhere", "which does not exist", func(f *kin) func() {
		return overwrite(&slotOf(f.c).nextSibling, ^uint32(0))
	}},
	{"siblings in a circle", "and that says a child of", func(f *kin) func() {
		return overwrite(&slotOf(f.a).nextSibling, number(f.c))
	}},
	{"a circle through the top", "back to the context with which they begin", func(f *kin) func() {
		return overwrite(&slotOf(f.below).FirstChild, number(f.mc))
	}},
	{"parent is another", "and that says a child of", func(f *kin) func() {
		return overwrite(&slotOf(f.c).parent, number(f.a))
	}},
	{"previous sibling is another", "and that says a child of", func(f *kin) func() {
		return overwrite(&slotOf(f.b).prevSibling, number(f.a))
	}},
	{"the top's parent does not exist", "these do not lead back", func(f *kin) func() {
		return overwrite(&slotOf(f.mc).parent, ^uint32(0))
	}},
	{"the top's parent does not know it", "these do not lead back", func(f *kin) func() {
		return overwrite(&slotOf(f.mc).parent, number(f.a))
	}},
	{"the top's sibling does not know it", "these do not lead back", func(f *kin) func() {
		return overwrite(&slotOf(f.mc).nextSibling, number(f.a))
	}},
	{"a number is another node's", "whose own number is", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Cookie, slotOf(f.b).Cookie)
	}},
	{"an epoch has no kind", "there is no such kind", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Epoch, 7<<61)
	}},
	{"a child has no owner and is not cached", "is cached as kind 0", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Epoch, 5)
	}},
	{"an owned node is cached", "it is a context, and it is cached", func(f *kin) func() {
		return overwrite(&slotOf(f.d).CachedAs, uint32(bump.ID))
	}},
	{"a cached node is of a kind that is not cached", "is cached as kind 133", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).CachedAs, uint32(slab.ID))
	}},
	{"a cached node is of no kind", "is cached as kind 200", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).CachedAs, 200)
	}},
	{"a cached node has another's child", "and that says a child of", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).FirstChild, number(f.a))
	}},
	{"a context is below a cached node", "it is a context, and its parent", func(f *kin) func() {
		epoch := overwrite(&slotOf(f.b).Epoch, 5)
		cachedAs := overwrite(&slotOf(f.b).CachedAs, uint32(generation.ID))
		return func() { cachedAs(); epoch() }
	}},
	{"a cached node has entries", "entries 0x2 in side tables", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).Has, hasIdent)
	}},
	{"a cached node has allocated", "without a context allocated from it", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).Cur, slotOf(f.cached).Cur+8)
	}},
	{"a cached node has large blocks", "has large blocks", func(f *kin) func() {
		f.wantCached()
		return overwrite(&slotOf(f.cached).Tails, 8)
	}},
	{"a cached node keeps too much", "one of at most 8192 may be kept", func(f *kin) func() {
		big := palloc.NewBump(f.mc, "big", palloc.BlockSizes(64<<10, 64<<10))
		big.Alloc(8)
		f.wantCached()
		owner := overwrite(&kindpkg.BlockAt(slotOf(big).Blocks).Owner, number(f.cached))
		blocks := overwrite(&slotOf(f.cached).Blocks, slotOf(big).Blocks)
		return func() { owner(); blocks() }
	}},
	{"a cached node keeps two blocks", "without a context keeps it", func(f *kin) func() {
		other := palloc.NewBump(f.mc, "other")
		other.Alloc(8)
		f.wantCached()
		kept, second := kindpkg.BlockAt(slotOf(f.cached).Blocks), kindpkg.BlockAt(slotOf(other).Blocks)
		owner := overwrite(&second.Owner, number(f.cached))
		next, prev := overwrite(&kept.Next, second.Address()), overwrite(&second.Prev, kept.Address())
		return func() { owner(); next(); prev() }
	}},
	{"a name does not exist", "its name is number", func(f *kin) func() {
		return overwrite(&slotOf(f.a).name, 1<<20)
	}},
	{"a long name does not exist", "its name is number", func(f *kin) func() {
		long := palloc.NewBump(f.mc, longName) // has no key
		return overwrite(&slotOf(long).name, 1<<20)
	}},
	{"a long name is none", "its name is number", func(f *kin) func() {
		long := palloc.NewBump(f.mc, longName)
		return overwrite(&slotOf(long).name, 0)
	}},
	{"a name has another key", "its name is number", func(f *kin) func() {
		return overwrite(&slotOf(f.a).nameKey, slotOf(f.b).nameKey)
	}},
	{"callbacks are denied", "of callbacks: false, and the side table: true", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Has, slotOf(f.a).Has&^hasCallbacks)
	}},
	{"callbacks are promised", "of callbacks: true, and the side table: false", func(f *kin) func() {
		return overwrite(&slotOf(f.d).Has, slotOf(f.d).Has|hasCallbacks)
	}},
	{"an ident is denied", "of a long ident: false, and the side table: true", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Has, slotOf(f.a).Has&^hasIdent)
	}},
	{"an ident is promised", "of a long ident: true, and the side table: false", func(f *kin) func() {
		return overwrite(&slotOf(f.d).Has, slotOf(f.d).Has|hasIdent)
	}},
	{"listeners are denied", "of callbacks of OnPressure: false, and the side table: true", func(f *kin) func() {
		return overwrite(&slotOf(f.a).Has, slotOf(f.a).Has&^hasListeners)
	}},
	{"listeners are promised", "of callbacks of OnPressure: true, and the side table: false", func(f *kin) func() {
		return overwrite(&slotOf(f.d).Has, slotOf(f.d).Has|hasListeners)
	}},
	{"a budget is denied", "of a budget: false, and the side table: true", func(f *kin) func() {
		return overwrite(&slotOf(f.b).Has, slotOf(f.b).Has&^hasAccount)
	}},
	{"a budget is promised", "of a budget: true, and the side table: false", func(f *kin) func() {
		return overwrite(&slotOf(f.d).Has, slotOf(f.d).Has|hasAccount)
	}},
	{"a charge is denied", "of a charge: false, and the side table: true", func(f *kin) func() {
		return overwrite(&slotOf(f.below).Has, slotOf(f.below).Has&^kindpkg.Limited)
	}},
	{"a charge is promised", "of a charge: true, and the side table: false", func(f *kin) func() {
		return overwrite(&slotOf(f.d).Has, slotOf(f.d).Has|kindpkg.Limited)
	}},
}

// wantCached fails the test unless the deleted node is cached below d.
func (f *kin) wantCached() {
	f.t.Helper()
	if slotOf(f.cached).CachedAs == 0 || slotOf(f.cached).parent != number(f.d) {
		f.t.Fatal("the node is not cached")
	}
}

// found returns the single errors of a check.
func found(err error) (list []*palloc.CorruptionError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			var corruption *palloc.CorruptionError
			if errors.As(err, &corruption) {
				list = append(list, corruption)
			}
		}
	}
	return list
}

func TestCheckFindsWhatIsBrokenInTheTree(t *testing.T) {
	mustBePlain(t)
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			f := newKin(t)
			wantSound(t, "before", f.mc)
			restore := b.do(f)
			err := f.mc.Check()
			restore()
			if err == nil || !strings.Contains(err.Error(), b.words) || len(found(err)) == 0 {
				t.Errorf("the check returns\n%v\nwithout %q", err, b.words)
			}
			wantSound(t, "afterwards", f.mc)
		})
	}
}

// breaksOfTop are the same for faults that only the check of the root looks for.
var breaksOfTop = []struct {
	name  string
	words string
	do    func(f *kin) (restore func())
}{
	{"a free node is owned", "it is a free node, and is a context", func(f *kin) func() {
		return overwrite(&f.free().Epoch, kindpkg.NextEpoch(0, bump.ID))
	}},
	{"a free node is cached", "it is a free node, and is a context", func(f *kin) func() {
		return overwrite(&f.free().CachedAs, uint32(bump.ID))
	}},
	{"free nodes in a circle", "a list of free nodes leads to node", func(f *kin) func() {
		return overwrite(&f.free().nextSibling, f.free().Number())
	}},
	{"free nodes lead nowhere", "a list of free nodes leads to node", func(f *kin) func() {
		return overwrite(&f.free().nextSibling, 1<<26-1)
	}},
	{"a free node has lost bytes", "without a context has large blocks", func(f *kin) func() {
		kept := palloc.NewAllocSet(f.mc, "kept")
		kept.Alloc(8)
		for range 10 {
			palloc.NewAllocSet(f.mc, "kept") // is found before the other
		}
		kept.Delete()
		if slotOf(kept).Blocks == 0 || slotOf(kept).CachedAs != 0 {
			f.t.Fatal("no free node has a keeper")
		}
		return overwrite(&slotOf(kept).Tails, 8)
	}},
}

// free returns a free node.
func (f *kin) free() *links {
	c := palloc.NewSlab(f.mc, "free", 64)
	c.Delete()
	return slotOf(c)
}

func TestCheckOfTheRootFindsWhatIsBrokenOutsideTheTree(t *testing.T) {
	mustBePlain(t)
	for _, b := range breaksOfTop {
		t.Run(b.name, func(t *testing.T) {
			f := newKin(t)
			wantSound(t, "before", palloc.Top())
			restore := b.do(f)
			err := palloc.Top().Check()
			restore()
			if err == nil || !strings.Contains(err.Error(), b.words) {
				t.Errorf("the check returns\n%v\nwithout %q", err, b.words)
			}
			wantSound(t, "afterwards", palloc.Top())
		})
	}
}

// shardsOf returns the nodes of a shared context's shards.
func shardsOf(mc palloc.Context) (list []*links) {
	own := kindpkg.Private[struct {
		sync.Mutex
		n      uint32
		shards [shared.MaxShards]uint32
	}](&slotOf(mc).Core)
	for _, number := range own.shards[:own.n] {
		list = append(list, kindpkg.Slot[links](kindpkg.At(number)))
	}
	return list
}

// words returns the words of kin's tree and of a shared context: of nodes, of free lists,
// and of blocks from their beginning.
func (f *kin) words(many palloc.Context) (list []*uint32) {
	few := func(p unsafe.Pointer, size uintptr) {
		for i := uintptr(0); i < size; i += 4 {
			list = append(list, (*uint32)(unsafe.Add(p, i)))
		}
	}
	nodes := shardsOf(many)[:2]
	for _, mc := range []palloc.Context{f.mc, f.a, f.b, f.c, f.d, f.below, f.cached, many} {
		nodes = append(nodes, slotOf(mc))
	}
	for _, c := range nodes {
		before := len(list)
		few(unsafe.Pointer(c), kindpkg.SlotSize)
		if c == slotOf(f.mc) {
			list = slices.Delete(list, before, before+2) // its epoch: changed, it is another context
		}
		few(unsafe.Pointer(c.FreeList(0)), 32*8)
		for _, first := range []uintptr{c.Blocks, c.Large} {
			for addr := first; addr != 0; addr = kindpkg.BlockAt(addr).Next {
				few(unsafe.Pointer(kindpkg.BlockAt(addr)), min(kindpkg.BlockAt(addr).Size, 600))
			}
		}
	}
	return list
}

// checkWith checks mc while a word has another value. The check must end.
func checkWith(t *testing.T, mc palloc.Context, p *uint32, v uint32, when string) error {
	t.Helper()
	defer overwrite(p, v)()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: the check panics: %v\n%s", when, r, debug.Stack())
		}
	}()
	return mc.Check()
}

func TestCheckEndsWhateverWordIsBroken(t *testing.T) {
	f := newKin(t)
	many := palloc.NewAllocSet(f.below, "shared", palloc.Shared())
	for i, mc := range []palloc.Context{f.mc, f.a, f.b, f.c, f.below, many} {
		var chunks []unsafe.Pointer
		for n := range 40 {
			chunks = append(chunks, mc.Alloc(64))
			if mc != f.c && n%4 == 0 {
				chunks = append(chunks, mc.Alloc(10_000), mc.AllocAligned(24, 64), mc.Alloc(64+n*8))
			}
		}
		for n := i; n < len(chunks); n += 2 {
			palloc.FreePointer(chunks[n])
		}
	}
	wantSound(t, "before", f.mc)
	r := rand.New(rand.NewPCG(3, 4))
	all := f.words(many)
	every := sized(1, 7)
	noticed, tried := 0, 0
	for i := 0; i < len(all); i += every {
		p := all[i]
		other := *all[r.IntN(len(all))]
		for _, v := range []uint32{0, ^uint32(0), *p + 1, *p + 8, *p - 8, *p ^ 1<<r.IntN(32), r.Uint32(), other} {
			if v == *p {
				continue
			}
			err := checkWith(t, f.mc, p, v, fmt.Sprintf("word %d became %#x", i, v))
			if tried++; err != nil {
				noticed++
			}
		}
	}
	wantSound(t, "afterwards", f.mc)
	if noticed < tried/8 {
		t.Errorf("of %d words broken, %d were noticed", tried, noticed)
	}
	t.Logf("of %d words broken, %d were noticed", tried, noticed)
}
