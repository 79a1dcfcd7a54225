package palloc_test

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

// pages is a cache that lives in a context of its own and gives up everything when
// memory is short.
type pages struct {
	mc   palloc.Context
	kept map[int][]byte
}

func newPages(parent palloc.Context) *pages {
	c := &pages{palloc.NewAllocSet(parent, "pages"), map[int][]byte{}}
	c.mc.OnPressure(c.evict)
	return c
}

// page is page n, read if it is not kept.
func (c *pages) page(n int) []byte {
	if _, ok := c.kept[n]; !ok {
		c.kept[n] = palloc.MakeSlice[byte](c.mc, 8000, 8000)
	}
	return c.kept[n]
}

// evict is asked before a limit refuses anything below it.
func (c *pages) evict(int64) (freed int64) {
	freed = c.mc.MemAllocated(true)
	fmt.Printf("evict: %d pages\n", len(c.kept))
	clear(c.kept)
	c.mc.Reset()
	return freed
}

// A tenant may hold a megabyte. Its cache fills what its queries leave, and makes room
// for them; what does not fit even so is an error that says who holds what.
func Example_budget() {
	tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
	defer tenant.Delete()
	tenant.SetLimit(1 << 20)

	cache := newPages(tenant)
	for n := range 100 {
		cache.page(n)
	}
	query := palloc.NewBump(tenant, "query")
	query.Alloc(600_000) // the cache gives way

	_, err := query.TryAlloc(600_000)
	var oom *palloc.OutOfMemoryError
	if errors.As(err, &oom) {
		fmt.Println("refused:", oom.Context, "limited by", oom.LimitedBy)
		fmt.Println("rows in its tree:", len(oom.Tree.Rows))
	}
	b := tenant.Budget()
	fmt.Println("within the limit:", b.Held <= b.Limit && b.Peak <= b.Limit)

	// Output:
	// evict: 100 pages
	// evict: 0 pages
	// refused: Top/tenant/query limited by Top/tenant
	// rows in its tree: 3
	// within the limit: true
}
