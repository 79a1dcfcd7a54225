package hashmap_test

import (
	"sync"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// What contexts and types a map accepts, and what becomes of it at its context's end.

// A session lies in a context, and its map with it.
type session struct {
	palloc.NoHeapPointers
	id   uint64
	seen hashmap.Set[uint64]
	refs hashmap.Strings[hashmap.Map[uint64, uint64]]
}

func TestAMapMayLieInAContext(t *testing.T) {
	mc := palloctest.New(t)
	s := palloc.New[session](mc)
	s.seen.Init(mc)
	s.refs.Init(mc)
	inner := s.refs.Entry("a map of maps")
	inner.Init(mc)
	for i := range uint64(3000) {
		s.seen.Add(i)
		inner.Put(i, i)
	}
	if v, _ := s.refs.Ref("a map of maps").Get(2999); v != 2999 || s.seen.Len() != 3000 {
		t.Errorf("the maps have %d, %d", v, s.seen.Len())
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
	inner.Free()
	s.refs.Free()
	s.seen.Free()
	palloc.Free(s)
}

func TestTypesWithGoPointersAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	wantFault(t, "MakeSlice[hashmap.group[string,int]]", "Go pointer", func() { hashmap.New[string, int](mc, 0) })
	wantFault(t, "MakeSlice[hashmap.group[int,*int]]", "Go pointer", func() { hashmap.New[int, *int](mc, 0) })
	wantFault(t, "MakeSlice[hashmap.group[interface {},struct {}]]", "Go pointer", func() { hashmap.NewSet[any](mc, 0) })
}

func TestBadCallsOfNewAreFaults(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowContexts())
	slab := palloc.NewSlab(mc, "slab", 64)
	wantFault(t, "hashmap.New", "a Slab has chunks of one size", func() { hashmap.New[int, int](slab, 0) })
	wantFault(t, "hashmap.NewStrings", "must not be negative", func() { hashmap.NewStrings[int](mc, -1) })
	gone := palloc.NewAllocSet(mc, "gone")
	gone.Delete()
	wantFault(t, "MakeSlice", "deleted", func() { hashmap.New[int, int](gone, 0) })
	var zero hashmap.Map[int, int]
	wantFault(t, "hashmap.Map.Get", "the zero value has no context", func() { zero.Get(1) })
	wantFault(t, "hashmap.Map.Put", "the zero value has no context", func() { zero.Put(1, 1) })
}

// TestAnyUseAfterTheEndIsAFault: after a reset and a deletion, also when the memory serves another
// map.
func TestAnyUseAfterTheEndIsAFault(t *testing.T) {
	top := palloctest.New(t, palloctest.AllowContexts(), palloctest.Unchecked())
	for name, reason := range map[string]string{"reset": "the context was reset", "deleted": "the context was deleted"} {
		mc := palloc.NewAllocSet(top, "maps")
		m, s, text := hashmap.New[uint64, uint64](mc, 0), hashmap.NewSet[uint64](mc, 0), hashmap.NewStrings[uint64](mc, 0)
		m.Put(1, 2)
		s.Add(1)
		text.Put("one", 1)
		if name == "reset" {
			mc.Reset()
			hashmap.New[uint64, uint64](mc, 1000).Put(1, 3)
		} else {
			mc.Delete()
		}
		for op, call := range map[string]func(){
			"Map.Get": func() { m.Get(1) }, "Map.Put": func() { m.Put(1, 1) }, "Map.Entry": func() { m.Entry(1) }, "Map.Ref": func() { m.Ref(1) },
			"Map.TryPut": func() { _ = m.TryPut(1, 1) }, "Map.Delete": func() { m.Delete(1) }, "Map.Len": func() { m.Len() }, "Map.Clear": m.Clear, "Map.Free": m.Free,
			"Map.All": func() { m.All()(func(uint64, uint64) bool { return true }) }, "Map.Keys": func() { m.Keys()(func(uint64) bool { return true }) },
			"Set.Has": func() { s.Has(1) }, "Set.Add": func() { s.Add(1) }, "Set.Delete": func() { s.Delete(1) }, "Set.Len": func() { s.Len() }, "Set.Clear": s.Clear, "Set.Free": s.Free,
			"Strings.Get": func() { text.Get("one") }, "Strings.Put": func() { text.Put("one", 1) }, "Strings.Delete": func() { text.Delete("one") },
			"Strings.Len": func() { text.Len() }, "Strings.Clear": text.Clear, "Strings.Free": text.Free, "Strings.Ref": func() { text.Ref("one") },
		} {
			wantFault(t, "hashmap."+op, reason, call)
		}
	}
}

// TestAMapWithoutMemoryOutlivesAReset: nothing was taken from it.
func TestAMapWithoutMemoryOutlivesAReset(t *testing.T) {
	mc := palloctest.New(t)
	m := hashmap.New[uint64, uint64](mc, 0)
	palloc.New[uint64](mc)
	mc.Reset()
	if _, found := m.Get(1); found || m.Len() != 0 || m.Delete(1) {
		t.Error("the map has an entry")
	}
	m.Put(1, 1)
	m.Free()
	palloc.New[uint64](mc)
	mc.Reset()
	m.Put(2, 2)
	if v, _ := m.Get(2); v != 2 || m.Len() != 1 {
		t.Error("the map has not what was put")
	}
	m.Free()
}

func TestManyMayReadAtATime(t *testing.T) {
	mc := palloc.NewAllocSet(palloctest.New(t, palloctest.AllowContexts(), palloctest.Unchecked()), "shared", palloc.Shared())
	m := hashmap.NewStrings[uint64](mc, 0)
	var lock sync.RWMutex
	var all sync.WaitGroup
	for n := range uint32(4) {
		all.Go(func() {
			for i := range uint32(2000) {
				lock.Lock()
				m.Put(key(n*2000+i), uint64(i))
				lock.Unlock()
				lock.RLock()
				if v, found := m.Get(key(n*2000 + i)); v != uint64(i) || !found {
					t.Errorf("Get returns %d, %v, want %d", v, found, i)
				}
				lock.RUnlock()
			}
		})
	}
	all.Wait()
	if m.Len() != 8000 {
		t.Errorf("%d entries", m.Len())
	}
	m.Free()
}
