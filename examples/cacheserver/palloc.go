package main

import (
	"encoding/binary"
	"hash/maphash"
	"sync"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
)

// The store in contexts: a cache for each shard, below one context with the limit of all.
//
// Invariant: each value has its deadline in front, in 8 bytes.
//
// Cost: two copies of a value that is set, and one of a value that is got. What is held is bounded to the byte.

type pallocStore struct {
	all    palloc.Context
	seed   maphash.Seed
	shards [shards]pallocShard
}

type pallocShard struct {
	mu     sync.Mutex // held over the steps of a command
	values *cache.Cache
	buf    []byte // a deadline and a value
}

func newPallocStore(limit int64) store {
	s := &pallocStore{all: palloc.NewAllocSet(palloc.Top(), "store"), seed: maphash.MakeSeed()}
	s.all.SetLimit(limit)
	for i := range s.shards {
		s.shards[i].values = cache.New(s.all, "shard", palloc.NoLimit)
	}
	return s
}

// lock returns the shard of a key, locked.
func (s *pallocStore) lock(key []byte) *pallocShard {
	h := &s.shards[maphash.Bytes(s.seed, key)%shards]
	h.mu.Lock()
	return h
}

// find appends the value of a key to dst, and removes a value that is past its deadline.
func (h *pallocShard) find(dst, key []byte) (value []byte, deadline int64, found bool) {
	b, found := h.values.GetBytes(dst, key)
	if !found {
		return nil, 0, false
	}
	deadline = int64(binary.LittleEndian.Uint64(b))
	if expired(deadline) {
		h.values.DeleteBytes(key)
		return nil, 0, false
	}
	return b[8:], deadline, true
}

func (h *pallocShard) put(key, value []byte, deadline int64) bool {
	if cap(h.buf) > 2*bufBytes {
		h.buf = nil
	}
	h.buf = append(binary.LittleEndian.AppendUint64(h.buf[:0], uint64(deadline)), value...)
	return h.values.PutBytes(key, h.buf)
}

func (s *pallocStore) get(dst, key []byte) (value []byte, found bool) {
	h := s.lock(key)
	defer h.mu.Unlock()
	value, _, found = h.find(dst, key)
	return value, found
}

func (s *pallocStore) set(key, value []byte, deadline int64) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	return h.put(key, value, deadline)
}

func (s *pallocStore) remove(key []byte) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	_, _, found := h.find(h.buf[:0], key)
	return found && h.values.DeleteBytes(key)
}

func (s *pallocStore) expire(key []byte, deadline int64) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	value, _, found := h.find(h.buf[:0], key)
	return found && h.put(key, value, deadline)
}

func (s *pallocStore) deadline(key []byte) (at int64, found bool) {
	h := s.lock(key)
	defer h.mu.Unlock()
	_, at, found = h.find(h.buf[:0], key)
	return at, found
}

func (s *pallocStore) size() (keys int, bytes int64) {
	for i := range s.shards {
		keys += s.shards[i].values.Len()
	}
	return keys, s.all.TreeHeld()
}
