// Command limits bounds a query, with a cache that gives way; then it allocates where it must not.
package main

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

func main() {
	query := palloc.NewAllocSet(palloc.Top(), "query")
	defer query.Delete()
	query.SetLimit(1 << 20)
	cache := palloc.NewAllocSet(query, "cache")
	cache.OnPressure(func(p palloc.Pressure) error {
		if cache.Held() == 0 {
			return errors.New("the cache is empty")
		}
		fmt.Println("pressure: the cache gives back", cache.Held(), "bytes for", p.Asker.Name())
		cache.Reset()
		return nil
	})
	rows := palloc.NewBump(query, "rows")

	cache.Alloc(600_000)
	rows.Alloc(600_000) // does not fit beside the cache
	b := query.Budget()
	fmt.Printf("held: %d, peak: %d, limit: %d\n", b.Held, b.Peak, b.Limit)

	_, err := rows.TryAlloc(600_000)
	var full *palloc.OutOfMemoryError
	if errors.As(err, &full) {
		fmt.Printf("refused: %d bytes for %s, by the limit of %s: %v\n", full.Size, full.Context, full.LimitedBy, full.Reclaims[0].Err)
	}

	leave := query.EnterCritical()
	fmt.Println("critical section:", said(func() { rows.Alloc(100_000) }))
	leave()
	rows.Reset()
	rows.Alloc(100_000)
	fmt.Println("after it:", said(func() { rows.Alloc(100_000) }))
}

// said runs f, and returns the reason of the Fault with which it panics.
func said(f func()) (reason string) {
	defer func() {
		if fault, _ := recover().(*palloc.Fault); fault != nil {
			reason = fault.Reason
		}
	}()
	f()
	return "nothing"
}
