package main

import (
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
)

// The store in contexts: a cache for each shard, with an equal part of the limit.
//
// Invariant: each command is one call of a cache, under its lock.
//
// Cost: one copy of a value that is set, and one of a value that is got. What is held is bounded to the byte.

type pallocStore struct{ *cache.Cache }

func newPallocStore(limit int64) store {
	return pallocStore{cache.NewParts(palloc.Top(), "store", limit, shards)}
}

// until returns a deadline as a time.
func until(deadline int64) (t time.Time) {
	if deadline != 0 {
		t = time.UnixMilli(deadline)
	}
	return t
}

func (s pallocStore) get(dst, key []byte) (value []byte, found bool) {
	return s.GetBytes(dst, key)
}

func (s pallocStore) set(key, value []byte, deadline int64) bool {
	return s.PutUntilBytes(key, value, until(deadline))
}

func (s pallocStore) remove(key []byte) bool { return s.DeleteBytes(key) }

func (s pallocStore) expire(key []byte, deadline int64) bool {
	return s.SetDeadlineBytes(key, until(deadline))
}

func (s pallocStore) deadline(key []byte) (at int64, found bool) {
	t, found := s.DeadlineBytes(key)
	if !t.IsZero() {
		at = t.UnixMilli()
	}
	return at, found
}

func (s pallocStore) size() (keys int, bytes int64) { return s.Len(), s.Context().TreeHeld() }
