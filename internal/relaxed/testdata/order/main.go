// Order has each operation that orders something between goroutines in a function of its own, for
// a look at its instructions: see docs/CONCURRENCY.md.
package main

import (
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
)

//go:noinline
func atomicStore32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

//go:noinline
func atomicStore64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

//go:noinline
func storeRelease32(p *uint32, v uint32) { relaxed.StoreRelease32(p, v) }

//go:noinline
func store64(p *uint64, v uint64) { relaxed.Store64(p, v) }

//go:noinline
func load32(p *uint32) uint32 { return relaxed.Load32(p) }

//go:noinline
func load64(p *uint64) uint64 { return relaxed.Load64(p) }

//go:noinline
func swap32(p *uint32) bool { return atomic.CompareAndSwapUint32(p, 1, 0) }

//go:noinline
func add32(p *uint32) { atomic.AddUint32(p, 1) }

//go:noinline
func tryLock(m *sync.Mutex) bool { return m.TryLock() }

//go:noinline
func unlock(m *sync.Mutex) { m.Unlock() }

func main() {
	var (
		word  uint32
		epoch uint64
		lock  sync.Mutex
	)
	tryLock(&lock)
	atomicStore32(&word, 1)
	atomicStore64(&epoch, 1)
	storeRelease32(&word, 1)
	store64(&epoch, 1)
	add32(&word)
	println(load32(&word), load64(&epoch), swap32(&word))
	unlock(&lock)
}
