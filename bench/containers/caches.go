package main

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/gopalloc/palloc/cache"
)

// Caches under a limit that two goroutines use at once: keys by Zipf's law, and what is missing is
// put there. The limit is on the bytes of values, but palloc's, which counts all that it holds and
// gets as much more as its entries have beside their values.

const (
	cacheKeys  = 500_000
	valueBytes = 400
	kept       = 100_000 // values
	cacheSteps = 100_000 // of each goroutine, in a pass
	fills      = 8       // passes before the first that is timed
	goroutines = 2
)

// A limited is a cache, as the work uses it.
type limited interface {
	get(dst []byte, key string) ([]byte, bool)
	put(key string, value []byte)
}

// caches returns the work of caches.
func caches() []work {
	keys := make([]string, cacheKeys)
	for i := range keys {
		keys[i] = "key:" + strconv.Itoa(i)
	}
	sides := []side{}
	for _, s := range []struct {
		name string
		make func() limited
	}{
		{"palloc", newPallocCache}, {"ristretto", newRistretto}, {"a map in 64 parts, each with a lock", newParts},
	} {
		sides = append(sides, side{s.name, useCache(s.make, keys)})
	}
	inParts := slices.Clone(sides)
	inParts[0] = side{"palloc", useCache(newPallocParts, keys)}
	ops := goroutines * cacheSteps
	return []work{
		{name: fmt.Sprintf("cache: %d goroutines, Zipf", goroutines), ops: ops, wall: true, sides: sides},
		{name: fmt.Sprintf("cache in 64 parts: %d goroutines, Zipf", goroutines), ops: ops, wall: true, sides: inParts},
	}
}

// useCache returns what times a pass of a cache that is filled in the first round, and stays for others.
// Each pass has other keys.
func useCache(make func() limited, keys []string) func() (run, end func()) {
	var c limited
	pass := uint64(0)
	run := func() {
		var all sync.WaitGroup
		for range goroutines {
			pass++
			seed := pass
			all.Go(func() { visit(c, keys, seed) })
		}
		all.Wait()
	}
	return func() (func(), func()) {
		if c == nil {
			c = make()
			for range fills {
				run()
			}
		}
		return run, nothing
	}
}

// visit gets keys from a cache, and puts those that are missing.
func visit(c limited, keys []string, seed uint64) {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(seed, 1)), 1.1, 8, uint64(len(keys)-1))
	value := make([]byte, valueBytes)
	buffer := make([]byte, 0, valueBytes)
	for range cacheSteps {
		key := keys[zipf.Uint64()]
		if _, found := c.get(buffer, key); !found {
			c.put(key, value)
		}
	}
}

type pallocCache struct{ *cache.Cache }

func newPallocCache() limited {
	return pallocCache{cache.New(fresh(), "cache", kept*(valueBytes+150))}
}

func (c pallocCache) get(dst []byte, key string) ([]byte, bool) { return c.Get(dst, key) }
func (c pallocCache) put(key string, value []byte)              { c.Put(key, value) }

func newPallocParts() limited {
	return pallocCache{cache.NewParts(fresh(), "cache", kept*(valueBytes+150), 64)}
}

type ristrettoCache struct {
	*ristretto.Cache[string, []byte]
}

func newRistretto() limited {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{NumCounters: 10 * kept, MaxCost: kept * valueBytes, BufferItems: 64})
	if err != nil {
		panic(err)
	}
	return ristrettoCache{c}
}

func (c ristrettoCache) get(dst []byte, key string) ([]byte, bool) {
	value, found := c.Get(key)
	return append(dst, value...), found
}

func (c ristrettoCache) put(key string, value []byte) {
	c.Set(key, append([]byte(nil), value...), int64(len(value)))
}

// parts is a cache as programs write it: Go's maps, each under a lock, from which any entry is
// thrown away when they are full. It keeps copies of keys, as palloc's does, since a key may lie in a
// buffer of a request.
type parts struct {
	seed maphash.Seed
	part [64]part
}

type part struct {
	mu     sync.Mutex
	values map[string][]byte
	bytes  int
	_      [64]byte // another cache line
}

func newParts() limited {
	p := &parts{seed: maphash.MakeSeed()}
	for i := range p.part {
		p.part[i].values = map[string][]byte{}
	}
	return p
}

func (c *parts) of(key string) *part {
	return &c.part[maphash.String(c.seed, key)%uint64(len(c.part))]
}

func (c *parts) get(dst []byte, key string) ([]byte, bool) {
	p := c.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	value, found := p.values[key]
	return append(dst, value...), found
}

func (c *parts) put(key string, value []byte) {
	p := c.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, v := range p.values {
		if p.bytes+len(value) <= kept*valueBytes/len(c.part) {
			break
		}
		delete(p.values, k)
		p.bytes -= len(v)
	}
	p.bytes += len(value) - len(p.values[key])
	p.values[strings.Clone(key)] = append([]byte(nil), value...)
}
