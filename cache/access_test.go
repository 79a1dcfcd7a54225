package cache_test

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
	"github.com/gopalloc/palloc/internal/containertest"
	"github.com/gopalloc/palloc/palloctest"
)

// uses are the methods of a cache that take memory or look at it, by name.
var uses = map[string]func(c *cache.Cache){
	"Len":         func(c *cache.Cache) { c.Len() },
	"Get":         func(c *cache.Cache) { c.Get(nil, "k") },
	"View":        func(c *cache.Cache) { c.View("k", func([]byte) {}) },
	"Has":         func(c *cache.Cache) { c.Has("k") },
	"Deadline":    func(c *cache.Cache) { c.Deadline("k") },
	"SetDeadline": func(c *cache.Cache) { c.SetDeadline("k", time.Time{}) },
	"Put":         func(c *cache.Cache) { c.Put("k", nil) },
	"PutUntil":    func(c *cache.Cache) { c.PutUntil("k", nil, time.Time{}) },
	"Update":      func(c *cache.Cache) { c.Update("k", func(*cache.Item) bool { return true }) },
	"Delete":      func(c *cache.Cache) { c.Delete("k") },
	"SetClock":    func(c *cache.Cache) { c.SetClock(time.Now) },
}

// increment adds one to a decimal number, as Redis' INCR does.
func increment(i *cache.Item) bool {
	n, _ := strconv.Atoi(string(i.Value))
	i.Value = strconv.AppendInt(nil, int64(n)+1, 10)
	return true
}

// TestChangesInOneStep has the commands of Redis that read and write.
func TestChangesInOneStep(t *testing.T) {
	c, at := newTimed(t, palloctest.New(t), 1<<20)
	want := func(key, value string) {
		t.Helper()
		if v, found := c.Get(nil, key); !found || string(v) != value {
			t.Errorf("%s is %q, %v, instead of %q", key, v, found, value)
		}
	}
	for range 12 { // from 9 to 10 the value gets longer
		c.Update("n", increment)
	}
	want("n", "12")
	lock := func(owner string) (mine bool) { // SET NX EX
		c.UpdateBytes([]byte("lock"), func(i *cache.Item) bool {
			if mine = !i.Found; mine {
				i.Value, i.Deadline = []byte(owner), at.after(time.Minute)
			}
			return true
		})
		return mine
	}
	if !lock("a") || lock("b") {
		t.Error("a lock is taken by both")
	}
	want("lock", "a")
	if at.now = at.after(time.Minute); !lock("c") {
		t.Error("a lock outlives its deadline")
	}
	unlock := func(owner string) bool { // deletes what is the owner's
		return !c.Update("lock", func(i *cache.Item) bool { return i.Found && string(i.Value) != owner })
	}
	if unlock("a") || !unlock("c") || c.Has("lock") {
		t.Error("a lock is not given back by its owner")
	}
	var old []byte
	c.Update("n", func(i *cache.Item) bool { // GETSET
		old = append(old, i.Value...)
		i.Value = []byte("new")
		return true
	})
	if want("n", "new"); string(old) != "12" {
		t.Errorf("the value before is %q", old)
	}
	if c.Update("none", func(*cache.Item) bool { return false }) || c.Has("none") {
		t.Error("a key has a value that was not kept")
	}
}

func TestAChangeThatIsRefused(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 1<<20)
	defer c.Context().Delete()
	c.Put("k", []byte("v"))
	grow := func(i *cache.Item) bool { i.Value = make([]byte, 1<<20); return true }
	if c.Update("k", grow) || c.Has("k") || c.Update("k", grow) || c.Len() != 0 {
		t.Error("a value as large as the limit is kept, or the old one")
	}
	if c.PutUntil("k", make([]byte, 1<<20), time.Now().Add(time.Hour)) || c.Counts().Refused != 3 {
		t.Errorf("%+v", c.Counts())
	}
}

// TestAValueStaysWhileItGrows grows values by themselves in a cache that is full, so that memory for each is
// taken from others.
func TestAValueStaysWhileItGrows(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 64<<10)
	defer c.Context().Delete()
	twice := func(i *cache.Item) bool { i.Value = append(i.Value, i.Value...); return true }
	shorter := func(i *cache.Item) bool { i.Value = i.Value[:len(i.Value)-1]; return true }
	for i := range 300 {
		key := strconv.Itoa(i)
		want := []byte(key + "/")
		for kept := c.Put(key, want); kept && len(want) < 2000; {
			want = append(want, want...)
			want = want[:len(want)-1]
			if kept = c.Update(key, twice) && c.Update(key, shorter); kept && !c.View(key, func(v []byte) {
				if !bytes.Equal(v, want) {
					t.Fatalf("%s is %q instead of %q", key, v, want)
				}
			}) {
				t.Fatalf("%s is evicted for itself", key)
			}
		}
	}
	if n := c.Counts(); n.Evicted+n.Refused == 0 {
		t.Errorf("%+v", n)
	}
}

// TestAFunctionThatUsesACacheIsAFault: it would wait for itself. The cache stays as it was.
func TestAFunctionThatUsesACacheIsAFault(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 1<<20)
	defer c.Context().Delete()
	c.Put("k", []byte("v"))
	var deep func(n int, f func())
	deep = func(n int, f func()) {
		if n == 0 {
			f()
			return
		}
		deep(n-1, f)
	}
	for name, use := range uses {
		op := "cache.Cache." + name
		containertest.WantFault(t, func() { c.View("k", func([]byte) { use(c) }) }, op, "View")
		containertest.WantFault(t, func() {
			c.Update("k", func(*cache.Item) bool { deep(1000, func() { use(c) }); return true })
		}, op, "Update")
	}
	containertest.WantFault(t, func() { c.View("k", func([]byte) { c.Counts() }) }, "cache.Cache.Counts")
	if v, found := c.Get(nil, "k"); !found || string(v) != "v" {
		t.Errorf("the value is %q, %v", v, found)
	}
	other := cache.New(c.Context().Parent(), "other", 1<<20)
	defer other.Context().Delete()
	c.View("k", func(v []byte) { other.Put("k", v) }) // need not wait
	within, end := make(chan bool), make(chan bool)
	go other.View("k", func([]byte) { within <- true; <-end })
	<-within
	containertest.WantFault(t, func() { c.View("k", func([]byte) { other.Has("k") }) }, "cache.Cache.Has")
	close(end)
}

// TestAFunctionMayPanic: the lock is free afterwards.
func TestAFunctionMayPanic(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 1<<20)
	defer c.Context().Delete()
	c.Put("k", []byte("v"))
	for _, use := range []func(){
		func() { c.View("k", func([]byte) { panic("mine") }) },
		func() { c.Update("k", func(i *cache.Item) bool { i.Value = nil; panic("mine") }) },
	} {
		func() {
			defer func() {
				if recover() != "mine" {
					t.Error("another panic")
				}
			}()
			use()
		}()
		if v, found := c.Get(nil, "k"); !found || string(v) != "v" {
			t.Errorf("the value is %q, %v", v, found)
		}
	}
}

func TestTheEndOfTheParentEndsTheCache(t *testing.T) {
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			parent := palloc.NewAllocSet(palloc.Top(), "parent")
			defer parent.Delete()
			c := cache.New(parent, "cache", 1<<20)
			c.Put("k", []byte("v"))
			parent.Reset()
			for range 2 { // the lock is free after the first
				func() {
					defer func() {
						if _, ok := recover().(*palloc.Fault); !ok {
							t.Error("no Fault")
						}
					}()
					use(c)
				}()
			}
			if c.Counts() != (cache.Counts{}) {
				t.Errorf("%+v", c.Counts())
			}
		})
	}
}

// TestGoroutinesChangeInOneStep counts in values and beside them, under the lock of the cache, while others
// are evicted.
func TestGoroutinesChangeInOneStep(t *testing.T) {
	c := cache.New(palloctest.New(t, palloctest.Unchecked()), "cache", 256<<10)
	defer c.Context().Delete()
	const goroutines, each = 2, 3000
	texts, words := 0, uint64(0)
	text := func(i *cache.Item) bool {
		if i.Found && string(i.Value) != strconv.Itoa(texts) {
			t.Errorf("%s is counted instead of %d", i.Value, texts)
		}
		texts++
		i.Value = strconv.AppendInt(nil, int64(texts), 10)
		return true
	}
	word := func(i *cache.Item) bool { // in place
		if !i.Found {
			i.Value = binary.LittleEndian.AppendUint64(nil, words)
		}
		words++
		binary.LittleEndian.PutUint64(i.Value, binary.LittleEndian.Uint64(i.Value)+1)
		return true
	}
	read := func(v []byte) {
		if n := binary.LittleEndian.Uint64(v); n != words {
			t.Errorf("%d is counted instead of %d", n, words)
		}
	}
	found := false
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				c.Update("text", text)
				c.Update("word", word)
				if c.View("word", read) {
					c.View("word", func([]byte) { found = true })
				}
				c.PutUntil(strconv.Itoa(i), make([]byte, 200), time.Now().Add(time.Duration(i%3)*time.Hour))
			}
		})
	}
	wg.Wait()
	if !found || texts != goroutines*each || words != goroutines*each || c.Counts().Evicted == 0 {
		t.Errorf("%d and %d are counted: %+v", texts, words, c.Counts())
	}
}

// TestAccessMakesNoGarbage has what the function of Update makes itself aside.
func TestAccessMakesNoGarbage(t *testing.T) {
	c := cache.New(palloctest.New(t, palloctest.Unchecked()), "cache", 1<<20)
	defer c.Context().Delete()
	key, value, at, n := []byte("k"), make([]byte, 100), time.Now().Add(time.Hour), 0
	c.PutBytes(key, value)
	read := func(v []byte) { n += len(v) }
	change := func(i *cache.Item) bool { i.Value = value[:50+(len(i.Value)+1)%50]; return true }
	if got := testing.AllocsPerRun(1000, func() {
		c.ViewBytes(key, read)
		c.UpdateBytes(key, change)
		c.PutUntilBytes(key, value, at)
		c.SetDeadlineBytes(key, at)
		c.DeadlineBytes(key)
		c.HasBytes(key)
	}); got != 0 {
		t.Errorf("%v Go allocations", got)
	}
}

// TestAnEntryTakesLittle: what stands beside keys and values is what the package's documentation says, for
// a size of which no byte is lost to rounding.
func TestAnEntryTakesLittle(t *testing.T) {
	const n = 1000
	least, at := 1000, time.Now().Add(time.Hour)
	for size := 100; size < 132; size += 4 {
		c := cache.New(palloctest.New(t, palloctest.Unchecked()), "cache", palloc.NoLimit)
		for i := range n {
			key := strconv.Itoa(i)
			c.PutUntil(key, make([]byte, size-len(key)), at)
		}
		for values := range c.Context().Children() {
			if values.Name() == "values" {
				least = min(least, int(values.Stats().Used)/n-size)
			}
		}
		c.Context().Delete()
	}
	if least < 40 || least > 64 {
		t.Errorf("an entry takes %d bytes beside its key and value", least)
	}
}
