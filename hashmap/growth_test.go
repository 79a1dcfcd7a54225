package hashmap_test

import (
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/palloctest"
)

// How much one insert does, counted in entries that it moves and bytes that it allocates; and what
// a map takes in all.

// TestAnInsertMovesFewEntries looks at the address of every value, before and after each insert
// that allocates.
func TestAnInsertMovesFewEntries(t *testing.T) {
	const most, bound = 60_000, 3000
	mc := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.New[uint64, uint64](mc, 0)
	at := map[uint64]*uint64{}
	worst, grown := 0, 0
	for k := range uint64(most) {
		before := mc.Stats().Used
		at[k] = m.Entry(k)
		if mc.Stats().Used == before {
			continue
		}
		grown++
		moved := 0
		for k := range k {
			if p := m.Ref(k); p != at[k] {
				at[k] = p
				moved++
			}
		}
		worst = max(worst, moved)
	}
	if worst > bound || grown < 100 {
		t.Errorf("with %d entries an insert moves %d, more than %d; %d inserts allocate", most, worst, bound, grown)
	}
	m.Free()
}

// TestAnInsertAllocatesLittle: what a context under a limit must have at hand for one insert does
// not grow with the map.
func TestAnInsertAllocatesLittle(t *testing.T) {
	most, bound := uint64(1_000_000), int64(200<<10)
	if testing.Short() {
		most = 100_000
	}
	mc := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.New[uint64, uint64](mc, 0)
	mc.SetLimit(palloc.NoLimit - 1) // so that the peak is recorded
	for k := range most {
		mc.ResetPeak()
		before := mc.Held()
		m.Put(k, k)
		if took := mc.Peak() - before; took > bound {
			t.Fatalf("with %d entries an insert acquires %d bytes, more than %d", k, took, bound)
		}
	}
	m.Free()
}

// TestAMapTakesLittle: at most 28 bytes for an entry of 16, from 10,000 on. With fewer, tables that grow at the same time
// may take more: which do is chance.
func TestAMapTakesLittle(t *testing.T) {
	mc := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.New[uint64, uint64](mc, 0)
	for k := range uint64(100_000) {
		m.Put(k, k)
		if n := int64(k + 1); n > 10_000 && n%1000 == 0 && mc.Held() > 28*n+n/2 {
			t.Errorf("%d entries take %d bytes each", n, mc.Held()/n)
		}
	}
	m.Free()
}

// TestAMapThatDoesNotGrowAllocatesNothing: entries come and go, and after a while there is room for
// all.
func TestAMapThatDoesNotGrowAllocatesNothing(t *testing.T) {
	const live, warm, steps = 5000, 100_000, 300_000
	mc := palloctest.New(t, palloctest.Unchecked())
	m := hashmap.New[uint64, uint64](mc, 0)
	held := int64(0)
	for k := range uint64(steps) {
		m.Put(k, k)
		if k >= live {
			m.Delete(k - live)
		}
		if k == warm {
			held = mc.Held()
		}
	}
	if mc.Held() > held+held/4 {
		t.Errorf("the context holds %d bytes, and after %d steps %d", held, steps, mc.Held())
	}
	if held > 40*live {
		t.Errorf("%d entries take %d bytes", live, held)
	}
	m.Free()
}

// TestCapacityIsRoom: a map with room for its entries hardly allocates more.
func TestCapacityIsRoom(t *testing.T) {
	for _, n := range []int{1, 7, 100, 3000, 50_000} {
		mc := palloctest.New(t, palloctest.Unchecked())
		m := hashmap.New[uint64, uint64](mc, n)
		held := mc.Held()
		for k := range uint64(n) {
			m.Put(k, k)
		}
		if mc.Held() > held+held/10 {
			t.Errorf("with room for %d a map holds %d bytes, and full %d", n, held, mc.Held())
		}
		m.Free()
	}
}
