// Command beyond uses what PostgreSQL's contexts have not got, all in an ordinary build.
package main

import (
	"fmt"
	"sync"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
)

type account struct {
	Name palloc.Text
	Sum  int
}

func main() {
	mc := palloc.NewAllocSet(palloc.Top(), "server")
	defer mc.Delete()

	accounts := hashmap.NewStrings[account](mc, 0) // a map that the collector does not scan
	for i := range 1000 {
		accounts.Entry(fmt.Sprint("account ", i%10)).Sum += i
	}
	fmt.Println("map:      ", accounts.Len(), "accounts, the first has", accounts.Ref("account 0").Sum)

	shared := palloc.NewAllocSet(mc, "shared", palloc.Shared())
	var wg sync.WaitGroup
	chunks := make(chan *account, 100)
	wg.Go(func() {
		for range 1000 {
			chunks <- palloc.New[account](shared)
		}
		close(chunks)
	})
	wg.Go(func() {
		for p := range chunks {
			palloc.Free(p) // in another goroutine
		}
	})
	wg.Wait()
	fmt.Println("shared:   ", shared.IsEmpty())

	stop := palloc.RecordCreations()
	defer stop()
	sessions := palloc.NewAllocSet(mc, "sessions")
	palloc.NewAllocSet(sessions, "forgotten").Alloc(100)
	for _, l := range palloc.Leaks(sessions, 0) {
		fmt.Printf("leak:      %d context of the name %q holds %d bytes, created at %s\n", l.Count, l.Name, l.Held, l.Created)
	}

	large := palloc.NewBump(mc, "large")
	large.Alloc(100 << 20)
	large.Delete()
	fmt.Println("trim:     ", palloc.Trim() > 0)
}
