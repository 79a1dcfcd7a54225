// Command query answers three messages as a PostgreSQL backend does: what belongs to the message, the
// portal, the executor and the row lies in a context each, and ends with it.
package main

import (
	"fmt"
	"os"

	"github.com/gopalloc/palloc"
)

type row struct {
	ID   int
	Name palloc.Text
}

// A backend serves one connection.
type backend struct{ top, message, cache palloc.Context }

func main() {
	top := palloc.NewAllocSet(palloc.Top(), "TopMemoryContext")
	b := backend{top, palloc.NewAllocSet(top, "MessageContext"), palloc.NewAllocSet(top, "CacheMemoryContext")}
	for n, text := range []string{"SELECT 1", "SELECT 2", "SELECT 3"} {
		b.answer(n, text)
	}
	fmt.Println("\nbetween two messages:")
	top.WriteStats(os.Stdout)
	top.Delete()
}

// answer executes one query: it parses in MessageContext, and runs in a portal.
func (b backend) answer(n int, text string) {
	b.message.Reset() // what the last message left
	parsed := palloc.NewText(b.message, text)
	portal := palloc.NewAllocSet(b.top, "PortalContext")
	defer portal.Delete() // the executor's context, too
	executor := palloc.NewAllocSet(portal, "ExecutorState")
	tuple := palloc.NewAllocSet(executor, "ExprContext")

	var best *row
	most := int64(0)
	for id := range 10_000 {
		tuple.Reset() // at the start, so that the row returned last stays valid
		r := palloc.New[row](tuple)
		r.ID, r.Name = id, palloc.TextOf(palloc.Sprintf(tuple, "row %d of %v", id, parsed))
		if id%4000 == 1 {
			best = palloc.CloneValue(executor, *r) // outlives the row
		}
		most = max(most, tuple.Held())
	}
	fmt.Printf("message %d: 10,000 rows, at most %d bytes for one; the best: %v\n", n, most, best.Name)
	if n == 2 {
		b.top.WriteStats(os.Stdout)
	}
}
