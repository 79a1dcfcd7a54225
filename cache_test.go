package palloc_test

import (
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// A cache under a limit that evicts chunk by chunk.

// An evictor keeps chunks until its callback frees some.
type evictor struct {
	*lot
	random  bool // it evicts any chunk, else the oldest
	evicted int64
}

func newEvictor(t *testing.T, mc palloc.Context, random bool) *evictor {
	c := &evictor{lot: newLot(t, mc), random: random}
	mc.OnPressure(c.evict)
	return c
}

func (c *evictor) evict(p palloc.Pressure) error {
	freed := int64(0)
	for freed < p.Need && len(c.p) > 0 {
		if c.random {
			freed += c.free(c.any())
		} else {
			freed += c.oldest()
		}
	}
	c.evicted += freed
	c.mc.Compact()
	if len(c.p) == 0 {
		return errors.New("the cache is empty")
	}
	return nil
}

// TestACacheUsesItsLimit checks that no entry is refused, and that the live bytes stay near
// the limit, whatever the sizes were before.
func TestACacheUsesItsLimit(t *testing.T) {
	const limit = int64(4 << 20)
	sizes := [][2]int{{100, 200}, {100, 2000}, {1500, 2000}}
	for _, c := range []struct {
		kind           int
		random         bool
		average, worst float64
	}{
		{0, false, 0.90, 0.80}, {0, true, 0.90, 0.35}, // when sizes grow, random eviction frees a run that is long enough only late
		{1, false, 0.93, 0.85}, {1, true, 0.60, 0.35},
		{2, false, 0.93, 0.85}, {2, true, 0.93, 0.85},
	} {
		k := freers[c.kind]
		t.Run(fmt.Sprintf("%s/random=%v", k.name, c.random), func(t *testing.T) {
			mc := k.make(palloc.Top(), sizes[2][1])
			defer mc.Delete()
			mc.SetLimit(limit)
			l := newEvictor(t, mc, c.random)
			sum, n, worst := 0.0, 0, 1.0
			for phase, s := range sizes {
				for put := int64(0); put < 4*limit; n++ {
					size := s[0] + l.rng.IntN(s[1]-s[0]+1)
					if k.name == "Slab" {
						size = sizes[2][1]
					}
					if !l.add(size) {
						t.Fatalf("an entry of %d bytes is refused, %d are kept", size, len(l.p))
					}
					if put += int64(size); phase == 0 && put < limit {
						n--
						continue // it is filling
					}
					sum += float64(l.live)
					worst = min(worst, float64(l.live)/float64(limit))
				}
			}
			average := sum / float64(n) / float64(limit)
			t.Logf("live of the limit: %.3f on average, %.3f at worst", average, worst)
			if average < c.average || worst < c.worst {
				t.Errorf("live of the limit: %.3f on average, %.3f at worst; at least %.2f and %.2f", average, worst, c.average, c.worst)
			}
			if err := mc.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestACacheGivesWayToOthers checks that a query under the cache's limit gets its memory,
// and that little more than that is evicted.
func TestACacheGivesWayToOthers(t *testing.T) {
	const limit, wanted = 32 << 20, 16 << 20
	for _, k := range freers[:3] {
		for _, size := range []int{100, 1024, 4000} {
			t.Run(fmt.Sprintf("%s/%d", k.name, size), func(t *testing.T) {
				tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
				defer tenant.Delete()
				tenant.SetLimit(limit)
				l := newEvictor(t, k.make(tenant, size), false)
				for l.live < limit*7/8 {
					l.add(size)
				}
				query, got := palloc.NewAllocSet(tenant, "query"), []unsafe.Pointer(nil)
				for len(got) < wanted>>20 {
					p, err := query.TryAlloc(1 << 20)
					if err != nil {
						t.Fatalf("refused after %d MiB: %v", len(got), err)
					}
					got = append(got, p)
				}
				t.Logf("%.2f of what was wanted is evicted", float64(l.evicted)/wanted)
				if most := int64(wanted * 13 / 10); l.evicted > most {
					t.Errorf("%d bytes are evicted for %d", l.evicted, wanted)
				}
				if err := tenant.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestACacheIsAskedUntilABlockIsFree has values of all sizes. These lie only roughly in the
// order of their age, so that the oldest ones may not free a whole block.
func TestACacheIsAskedUntilABlockIsFree(t *testing.T) {
	for _, k := range freers {
		for _, random := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/random=%v", k.name, random), func(t *testing.T) {
				tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
				defer tenant.Delete()
				tenant.SetLimit(8 << 20)
				l := newEvictor(t, k.make(tenant, 1000), random)
				for range 50_000 {
					size := 1000
					if k.name != "Slab" {
						size = 16 + l.rng.IntN(2000)
					}
					if !l.add(size) {
						t.Fatalf("a value of %d bytes is refused, %d are kept", size, len(l.p))
					}
				}
				other := palloc.NewAllocSet(tenant, "other")
				for i := range 100 {
					if _, err := other.TryAlloc(16 << 10); err != nil {
						t.Fatalf("request %d is refused, and %d values are kept: %v", i, len(l.p), err)
					}
				}
				if err := tenant.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
