package cache_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
	"github.com/gopalloc/palloc/palloctest"
)

// programs is how many random programs an ordinary run has.
func programs() int {
	if testing.Short() {
		return 20
	}
	return 200
}

// valueOf returns a value that tells key and version, of some size.
func valueOf(key string, version, size int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%s/%d,", key, version)), size/4+1)[:size]
}

// TestACacheIsAMapThatForgets compares random programs with Go's map: what the cache has is what was
// put last, and it holds no more than its limit.
func TestACacheIsAMapThatForgets(t *testing.T) {
	for seed := range programs() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			mc := palloctest.New(t)
			if seed%2 == 0 {
				mc = palloctest.New(t, palloctest.Unchecked())
			}
			limit := int64(64<<10 + r.IntN(1<<20))
			c := cache.New(mc, "cache", limit)
			defer c.Context().Delete()
			largest := 16 << r.IntN(9)
			last := map[string][]byte{}
			for step := range 1000 {
				key := strconv.Itoa(r.IntN(400))
				switch r.IntN(8) {
				case 0:
					_, had := last[key]
					if c.Delete(key) && !had {
						t.Fatalf("%s was deleted, and never put", key)
					}
					delete(last, key)
				case 1, 2, 3:
					v := valueOf(key, step, r.IntN(largest))
					if !c.PutBytes([]byte(key), v) {
						t.Fatalf("%d bytes are refused, with a limit of %d", len(v), limit)
					}
					last[key] = v
				default:
					v, found := c.Get(nil, key)
					if found && !bytes.Equal(v, last[key]) {
						t.Fatalf("%s is %q, and %q was put last", key, v, last[key])
					}
				}
				if held := c.Context().TreeHeld(); held > limit {
					t.Fatalf("the cache holds %d bytes, and its limit is %d", held, limit)
				}
			}
			if c.Len() > len(last) {
				t.Errorf("%d entries, and only %d keys have a value", c.Len(), len(last))
			}
			if n := c.Counts(); n.Refused != 0 || c.Len() < len(last) && n.Evicted == 0 {
				t.Errorf("%d of %d entries are there: %+v", c.Len(), len(last), n)
			}
			if err := mc.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsTooLargeIsNotKept(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 1<<20)
	defer c.Context().Delete()
	c.Put("kept", make([]byte, 1000))
	c.Put("grows", make([]byte, 1000))
	if c.Put("grows", make([]byte, 1<<20)) {
		t.Error("a value as large as the limit is kept")
	}
	if _, found := c.Get(nil, "grows"); found {
		t.Error("a key whose new value is not kept has the old one")
	}
	if _, found := c.GetBytes(nil, []byte("kept")); !found {
		t.Error("others are evicted for what is not kept")
	}
	if n := c.Counts(); n != (cache.Counts{Hits: 1, Misses: 1, Refused: 1}) {
		t.Errorf("%+v", n)
	}
}

func TestEmptyKeysAndValues(t *testing.T) {
	c := cache.New(palloctest.New(t), "cache", 1<<20)
	defer c.Context().Delete()
	if !c.Put("", nil) || !c.Put("k", nil) || c.Len() != 2 {
		t.Error("an empty value is not kept")
	}
	if v, found := c.Get(nil, ""); !found || len(v) != 0 {
		t.Errorf("the value of the empty key is %q, %v", v, found)
	}
	if !c.DeleteBytes(nil) || c.Delete("") || !c.Delete("k") || c.Len() != 0 {
		t.Error("an empty key is not deleted once")
	}
}

// sieve is the policy on Go's heap, with a limit in entries.
type sieve struct {
	most, hand int
	queue      []int // keys, the oldest first
	used       map[int]bool
}

func (s *sieve) get(key int) bool {
	if _, found := s.used[key]; found {
		s.used[key] = true
		return true
	}
	if len(s.queue) == s.most {
		for ; s.used[s.queue[s.hand]]; s.hand = (s.hand + 1) % len(s.queue) {
			s.used[s.queue[s.hand]] = false
		}
		delete(s.used, s.queue[s.hand])
		s.queue = append(s.queue[:s.hand], s.queue[s.hand+1:]...)
		if s.hand == len(s.queue) {
			s.hand = 0
		}
	}
	s.queue = append(s.queue, key)
	s.used[key] = false
	return false
}

// traces are accesses to keys, of the shapes by which caches are compared.
var traces = map[string]func(r *rand.Rand) func() int{
	"Zipf": func(r *rand.Rand) func() int {
		z := rand.NewZipf(r, 1.1, 1, 1<<16)
		return func() int { return int(z.Uint64()) }
	},
	"Zipf with scans": func(r *rand.Rand) func() int {
		z, next := rand.NewZipf(r, 1.1, 1, 1<<16), 1<<20
		return func() int {
			if r.IntN(4) == 0 {
				next++
				return next
			}
			return int(z.Uint64())
		}
	},
	"loop": func(*rand.Rand) func() int {
		next := 0
		return func() int { next++; return next % 6000 }
	},
}

// TestHitsAreThoseOfSIEVE compares with the policy for as many entries as the cache has.
func TestHitsAreThoseOfSIEVE(t *testing.T) {
	for name, trace := range traces {
		t.Run(name, func(t *testing.T) {
			c := cache.New(palloctest.New(t, palloctest.Unchecked()), "cache", 1<<20)
			defer c.Context().Delete()
			accesses := 200_000
			if testing.Short() {
				accesses = 40_000
			}
			access, value, entries := trace(rand.New(rand.NewPCG(1, 2))), make([]byte, 100), 0
			for range accesses {
				key := strconv.Itoa(access())
				if _, found := c.Get(nil, key); !found {
					c.Put(key, value)
				}
				entries += c.Len()
			}
			got := float64(c.Counts().Hits) / float64(accesses)
			model := sieve{most: entries / accesses, used: map[int]bool{}}
			access = trace(rand.New(rand.NewPCG(1, 2)))
			hits := 0
			for range accesses {
				if model.get(access()) {
					hits++
				}
			}
			want := float64(hits) / float64(accesses)
			t.Logf("%d entries: %.4f hit, and %.4f of the model's", model.most, got, want)
			if got < want-0.02 {
				t.Errorf("%.4f hit, and %.4f of the model's", got, want)
			}
		})
	}
}

// TestACacheGivesWayToOthers: another context below the same limit gets what the cache has.
func TestACacheGivesWayToOthers(t *testing.T) {
	tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
	defer tenant.Delete()
	const limit = 4 << 20
	tenant.SetLimit(limit)
	c := cache.New(tenant, "cache", palloc.NoLimit)
	for i := range 100_000 {
		if !c.Put(strconv.Itoa(i), make([]byte, 100)) {
			t.Fatal("refused")
		}
	}
	before := c.Len()
	query := palloc.NewBump(tenant, "query")
	for range 2 {
		if _, err := query.TryAlloc(limit / 4); err != nil {
			t.Fatal(err)
		}
	}
	if c.Len() >= before*2/3 || c.Len() < before/8 {
		t.Errorf("of %d entries %d stay, beside half of the limit", before, c.Len())
	}
	query.Delete()
	c.Put("again", make([]byte, 100))
	if v, found := c.Get(nil, "again"); !found || len(v) != 100 {
		t.Error("a cache that gave way keeps nothing")
	}
	if err := tenant.Check(); err != nil {
		t.Error(err)
	}
}

// TestACacheMakesLittleGarbage: what an eviction costs Go's heap serves many entries.
func TestACacheMakesLittleGarbage(t *testing.T) {
	c := cache.New(palloctest.New(t, palloctest.Unchecked()), "cache", 1<<20)
	defer c.Context().Delete()
	keys := make([][]byte, 40_000)
	for i := range keys {
		keys[i] = strconv.AppendInt(nil, int64(i), 10)
	}
	value, dst, i := make([]byte, 100), make([]byte, 0, 100), 0
	put := func() { c.PutBytes(keys[i%len(keys)], value); i++ }
	for range 2 * len(keys) {
		put()
	}
	if n := testing.AllocsPerRun(10_000, put); n != 0 {
		t.Errorf("%v Go allocations in a put", n)
	}
	if n := testing.AllocsPerRun(10_000, func() {
		c.GetBytes(dst, keys[i*7%len(keys)])
		c.DeleteBytes(keys[i*3%len(keys)])
		i++
	}); n != 0 {
		t.Errorf("%v Go allocations in a get and a deletion", n)
	}
}

// TestGoroutinesShareACache: each finds its own values only, while others evict them, and a query below the
// same limit takes memory.
func TestGoroutinesShareACache(t *testing.T) {
	tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
	defer tenant.Delete()
	const limit = 1 << 20
	tenant.SetLimit(limit)
	c := cache.New(tenant, "cache", palloc.NoLimit)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for step := range 3000 {
				key := fmt.Sprintf("%d-%d", g, r.IntN(2000))
				if v, found := c.Get(nil, key); found && !bytes.HasPrefix(v, []byte(key+"/")) {
					t.Errorf("%s has %q", key, v)
					return
				}
				c.Put(key, valueOf(key, step, 20+r.IntN(200)))
			}
		})
	}
	refused := 0
	for range 200 {
		query := palloc.NewBump(tenant, "query")
		for range 8 {
			if _, err := query.TryAlloc(64 << 10); err != nil {
				refused++
			}
		}
		query.Delete()
	}
	wg.Wait()
	t.Logf("%d of %d requests of others are refused, %+v", refused, 200*8, c.Counts())
	if n := c.Counts(); n.Hits == 0 || n.Evicted == 0 {
		t.Errorf("%+v", n)
	}
	if err := tenant.Check(); err != nil {
		t.Error(err)
	}
}
