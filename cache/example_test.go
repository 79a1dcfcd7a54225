package cache_test

import (
	"fmt"
	"time"

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

// A lock that is given back at its deadline at the latest, as by Redis' SET with NX and EX.
func ExampleCache_Update() {
	locks := cache.New(palloc.Top(), "locks", 1<<20)
	defer locks.Context().Delete()
	acquire := func(name, owner string) (mine bool) {
		locks.Update(name, func(i *cache.Item) bool {
			if mine = !i.Found; mine {
				i.Value, i.Deadline = []byte(owner), time.Now().Add(time.Hour)
			}
			return true
		})
		return mine
	}
	fmt.Println(acquire("backup", "a"), acquire("backup", "b"))
	// Output: true false
}

// A test sets the clock.
func ExampleCache_PutUntil() {
	sessions := cache.New(palloc.Top(), "sessions", 1<<20)
	defer sessions.Context().Delete()
	now := time.Now()
	sessions.SetClock(func() time.Time { return now })
	sessions.PutUntil("id", []byte("Ada"), now.Add(time.Minute))
	fmt.Println(sessions.Has("id"))
	now = now.Add(time.Minute)
	fmt.Println(sessions.Has("id"))
	// Output:
	// true
	// false
}

// View writes a value without a copy between.
func ExampleCache_View() {
	pages := cache.New(palloc.Top(), "pages", 1<<20)
	defer pages.Context().Delete()
	pages.Put("/", []byte("hello"))
	pages.View("/", func(page []byte) { fmt.Printf("%s\n", page) })
	// Output: hello
}
