package palloc_test

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// pageSize is the bytes of a page. A chunk beyond 8 KiB has a block of its own, which
// counts as given back when the chunk is freed.
const pageSize = 16 << 10

// pages is a cache in a context of its own. It keeps all the limit around it allows,
// and gives up the oldest pages where others need the memory.
type pages struct {
	mc    palloc.Context
	kept  map[int][]byte
	order []int // the oldest first
}

func newPages(parent palloc.Context) *pages {
	c := &pages{mc: palloc.NewAllocSet(parent, "pages"), kept: map[int][]byte{}}
	c.mc.OnPressure(c.evict)
	return c
}

// page is page n, read if it is not kept. Where there is no room for it, evict is
// called before MakeSlice returns.
func (c *pages) page(n int) []byte {
	if p, ok := c.kept[n]; ok {
		return p
	}
	p := palloc.MakeSlice[byte](c.mc, pageSize, pageSize)
	c.kept[n] = p
	c.order = append(c.order, n)
	return p
}

// evict frees the oldest pages, as many as are needed. It may be asked by the cache's
// own allocation, in the middle of page.
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
	c.mc.Compact() // of entries up to 8 KiB only whole blocks go to others, and only so
	return nil
}

// A tenant may hold a megabyte. Its cache fills what its queries leave, and makes room
// for them page by page; what does not fit even so is an error that says why.
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
