package palloc_test

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// pageSize is the size of a page in bytes. A chunk beyond 8 KiB has a block of its own,
// which no longer counts once the chunk is freed.
const pageSize = 16 << 10

// pages is a cache in a context of its own. It keeps as many pages as the limit allows, and
// evicts the oldest when another context needs the memory.
type pages struct {
	mc    palloc.Context
	kept  map[int][]byte
	order []int // of the pages, the oldest first
}

func newPages(parent palloc.Context) *pages {
	c := &pages{mc: palloc.NewAllocSet(parent, "pages"), kept: map[int][]byte{}}
	c.mc.OnPressure(c.evict)
	return c
}

// page returns page n, and reads it if it is not in the cache. When the limit has no room
// for it, evict is called before MakeSlice returns.
func (c *pages) page(n int) []byte {
	if p, ok := c.kept[n]; ok {
		return p
	}
	p := palloc.MakeSlice[byte](c.mc, pageSize, pageSize)
	c.kept[n] = p
	c.order = append(c.order, n)
	return p
}

// evict frees the oldest pages, as many as are needed. The cache's own allocation, in the
// middle of page, may call it.
func (c *pages) evict(p palloc.Pressure) error {
	for freed := int64(0); freed < p.Need; {
		if len(c.order) == 0 {
			return errors.New("the cache is empty")
		}
		oldest := c.order[0]
		page := c.kept[oldest]
		freed += int64(palloc.Footprint(unsafe.Pointer(&page[0])))
		palloc.FreeSlice(page)
		delete(c.kept, oldest)
		c.order = c.order[1:]
	}
	c.mc.Compact() // releases whole blocks: entries up to 8 KiB share theirs, and other contexts need blocks
	return nil
}

// A tenant may hold a megabyte. Its cache uses the memory that its queries leave, and makes
// room for them page by page. A request that does not fit even so returns an error with the
// reason.
func Example_budget() {
	tenant := palloc.NewAllocSet(palloc.Top(), "tenant")
	defer tenant.Delete()
	tenant.SetIdent("acme")
	tenant.SetLimit(1 << 20)

	cache := newPages(tenant)
	for n := range 100 {
		cache.page(n)
	}
	_, first := cache.kept[0]
	_, last := cache.kept[99]
	fmt.Printf("page 0 is kept: %v, page 99: %v\n", first, last)

	query := palloc.NewBump(tenant, "query")
	before := len(cache.kept)
	query.Alloc(300_000)
	fmt.Println("the cache gave way:", len(cache.kept) < before, "and keeps some pages:", len(cache.kept) > 0)

	_, err := query.TryAlloc(900_000)
	var oom *palloc.OutOfMemoryError
	if errors.As(err, &oom) {
		fmt.Println("refused:", oom.Context, "limited by", oom.LimitedBy, "of", oom.LimitIdent)
		for _, r := range oom.Reclaims {
			fmt.Println(r.Context, "was asked:", r.Err)
		}
	}
	b := tenant.Budget()
	fmt.Println("within the limit:", b.Held <= b.Limit && b.Peak <= b.Limit)

	// Output:
	// page 0 is kept: false, page 99: true
	// the cache gave way: true and keeps some pages: true
	// refused: Top/tenant/query limited by Top/tenant of acme
	// Top/tenant/pages was asked: the cache is empty
	// within the limit: true
}
