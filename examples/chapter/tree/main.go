// Command tree builds the contexts of a PostgreSQL backend that answers a query, and prints them as
// MemoryContextStats does.
package main

import (
	"fmt"
	"os"

	"github.com/gopalloc/palloc"
)

func main() {
	top := palloc.NewAllocSet(palloc.Top(), "TopMemoryContext")
	cache := palloc.NewAllocSet(top, "CacheMemoryContext")
	palloc.NewAllocSet(cache, "index info").SetIdent("pg_class_oid_index")
	message := palloc.NewAllocSet(top, "MessageContext")
	portals := palloc.NewAllocSet(top, "TopPortalContext")
	portal := palloc.NewAllocSet(portals, "PortalContext")
	portal.SetIdent("<unnamed>")
	executor := palloc.NewAllocSet(portal, "ExecutorState")
	palloc.NewAllocSet(executor, "ExprContext")

	cache.Alloc(5000)
	message.Alloc(300)
	executor.Alloc(2000)
	top.WriteStats(os.Stdout)

	executor.SetParent(cache) // with all that is below it
	fmt.Println("\nmoved to", executor.Path())
	for child := range cache.Children() {
		fmt.Println("child:", child.Name())
	}
	top.Delete()
	fmt.Println("after the deletion of the top:", executor.Live())
}
