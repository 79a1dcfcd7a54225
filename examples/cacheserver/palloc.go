package main

import (
	"hash/maphash"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
)

// The store in contexts: a cache for each shard, below one context with the limit of all.
//
// Invariant: each command is one call of a cache, under its lock.
//
// Cost: one copy of a value that is set, and one of a value that is got. What is held is bounded to the byte.

type pallocStore struct {
	all    palloc.Context
	seed   maphash.Seed
	shards [shards]*cache.Cache
}

func newPallocStore(limit int64) store {
	s := &pallocStore{all: palloc.NewAllocSet(palloc.Top(), "store"), seed: maphash.MakeSeed()}
	s.all.SetLimit(limit)
	for i := range s.shards {
		s.shards[i] = cache.New(s.all, "shard", palloc.NoLimit)
	}
	return s
}

// of returns the shard of a key.
func (s *pallocStore) of(key []byte) *cache.Cache {
	return s.shards[maphash.Bytes(s.seed, key)%shards]
}

// until returns a deadline as a time.
func until(deadline int64) (t time.Time) {
	if deadline != 0 {
		t = time.UnixMilli(deadline)
	}
	return t
}

func (s *pallocStore) get(dst, key []byte) (value []byte, found bool) {
	return s.of(key).GetBytes(dst, key)
}

func (s *pallocStore) set(key, value []byte, deadline int64) bool {
	return s.of(key).PutUntilBytes(key, value, until(deadline))
}

func (s *pallocStore) remove(key []byte) bool { return s.of(key).DeleteBytes(key) }

func (s *pallocStore) expire(key []byte, deadline int64) bool {
	return s.of(key).SetDeadlineBytes(key, until(deadline))
}

func (s *pallocStore) deadline(key []byte) (at int64, found bool) {
	t, found := s.of(key).DeadlineBytes(key)
	if !t.IsZero() {
		at = t.UnixMilli()
	}
	return at, found
}

func (s *pallocStore) size() (keys int, bytes int64) {
	for _, c := range s.shards {
		keys += c.Len()
	}
	return keys, s.all.TreeHeld()
}
