package cache_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
	"github.com/gopalloc/palloc/palloctest"
)

// TestPartsAreOneCache: a key is found where it was put, many goroutines may do so at a time, and the limit is kept.
func TestPartsAreOneCache(t *testing.T) {
	const limit = 4 << 20
	mc := palloctest.New(t, palloctest.Unchecked(), palloctest.AllowContexts())
	p := cache.NewParts(mc, "pages", limit, 8)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 5000 {
				key := strconv.Itoa(i*4 + g)
				if !p.Put(key, []byte(strings.Repeat(key, 20))) {
					t.Errorf("%s is refused", key)
				}
				if got, found := p.GetBytes(nil, []byte(key)); found && string(got) != strings.Repeat(key, 20) {
					t.Errorf("%s has the value %s", key, got)
				}
				if held := p.Context().TreeHeld(); held > limit {
					t.Errorf("%d bytes are held, more than %d", held, limit)
				}
			}
		})
	}
	all.Wait()
	found := 0
	for i := range 20_000 {
		key := strconv.Itoa(i)
		if p.Has(key) {
			found++
		}
	}
	if n := p.Len(); found != n || n < 5000 {
		t.Errorf("%d keys are found of %d, want all and at least 5000", found, n)
	}
	if c := p.Counts(); c.Evicted != int64(20_000-found) || c.Hits == 0 || c.Hits+c.Misses != 20_000 || c.Refused != 0 || c.Expired != 0 {
		t.Errorf("the counts are %+v, and %d keys were found", c, found)
	}
	p.Context().Delete()
	defer func() {
		if _, ok := recover().(*palloc.Fault); !ok {
			t.Error("a use after the end is no Fault")
		}
	}()
	p.Get(nil, "key")
}

func TestThereMustBeAPart(t *testing.T) {
	defer func() {
		if f, ok := recover().(*palloc.Fault); !ok || f.Op != "cache.NewParts" {
			t.Errorf("got %v, want a Fault of cache.NewParts", f)
		}
	}()
	cache.NewParts(palloctest.New(t), "pages", 1<<20, 0)
}
