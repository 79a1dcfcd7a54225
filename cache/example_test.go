package cache_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
)

// A cache of a megabyte keeps what fits.
func Example() {
	pages := cache.New(palloc.Top(), "pages", 1<<20)
	defer pages.Context().Delete()
	for n := range 1000 {
		pages.Put(fmt.Sprint("/page/", n), make([]byte, 10_000))
	}
	_, first := pages.Get(nil, "/page/0")
	_, last := pages.Get(nil, "/page/999")
	fmt.Println(first, last, pages.Len() > 50, pages.Context().TreeHeld() <= 1<<20)
	// Output: false true true true
}
