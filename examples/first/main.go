// Command first is the README's program: two contexts, a reset, and the tree.
package main

import (
	"fmt"
	"os"

	"github.com/gopalloc/palloc"
)

type user struct{ ID, Visits uint64 }

func main() {
	request := palloc.NewAllocSet(palloc.Top(), "request")
	rows := palloc.NewBump(request, "rows")
	var users []user
	for i := range uint64(1000) {
		users = palloc.Append(rows, users, user{ID: i})
	}
	best := palloc.New[user](request)
	*best = users[999]
	rows.Reset() // every row is gone; best lies in request
	fmt.Println("best:", best.ID)
	request.WriteStats(os.Stdout)
	request.Delete() // and everything below it
}
