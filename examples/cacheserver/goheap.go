package main

import (
	"bytes"
	"container/list"
	"hash/maphash"
	"sync"
)

// The store on Go's heap: a map and a list for each shard, which drops what was not used for longest.
//
// Invariant: every item is in the map and in the list of its shard, the one used last in front.
//
// Cost: a copy of a value that is set; a value that is got is shared. The bytes that count are an estimate:
// the collector lets the heap grow to about twice what is live.

type goStore struct {
	seed   maphash.Seed
	shards [shards]goShard
}

type goShard struct {
	mu    sync.Mutex
	items map[string]*list.Element
	used  *list.List
	bytes int64
	limit int64
}

type goItem struct {
	key      string
	value    []byte
	deadline int64
}

// perItem is about what an item takes beside its key and value: a slot of the map, the list's element, the item.
const perItem = 40 + 48 + 64

func (i *goItem) size() int64 { return int64(len(i.key)+len(i.value)) + perItem }

func newGoStore(limit int64) store {
	s := &goStore{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i] = goShard{items: map[string]*list.Element{}, used: list.New(), limit: limit / shards}
	}
	return s
}

// lock returns the shard of a key, locked.
func (s *goStore) lock(key []byte) *goShard {
	h := &s.shards[maphash.Bytes(s.seed, key)%shards]
	h.mu.Lock()
	return h
}

// find returns the item of a key, nil if there is none, and removes one that is past its deadline.
func (h *goShard) find(key []byte) *goItem {
	e := h.items[string(key)]
	if e == nil {
		return nil
	}
	item := e.Value.(*goItem)
	if expired(item.deadline) {
		h.drop(e)
		return nil
	}
	h.used.MoveToFront(e)
	return item
}

func (h *goShard) drop(e *list.Element) {
	item := h.used.Remove(e).(*goItem)
	delete(h.items, item.key)
	h.bytes -= item.size()
}

func (s *goStore) get(_, key []byte) (value []byte, found bool) {
	h := s.lock(key)
	defer h.mu.Unlock()
	item := h.find(key)
	if item == nil {
		return nil, false
	}
	return item.value, true
}

func (s *goStore) set(key, value []byte, deadline int64) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	item := h.find(key)
	if item == nil {
		item = &goItem{key: string(key)}
		h.items[item.key] = h.used.PushFront(item)
		h.bytes += item.size()
	}
	h.bytes += int64(len(value) - len(item.value))
	item.value, item.deadline = bytes.Clone(value), deadline
	for h.bytes > h.limit {
		h.drop(h.used.Back())
	}
	return h.items[item.key] != nil
}

func (s *goStore) remove(key []byte) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	item := h.find(key)
	if item == nil {
		return false
	}
	h.drop(h.items[item.key])
	return true
}

func (s *goStore) expire(key []byte, deadline int64) bool {
	h := s.lock(key)
	defer h.mu.Unlock()
	item := h.find(key)
	if item == nil {
		return false
	}
	item.deadline = deadline
	return true
}

func (s *goStore) deadline(key []byte) (at int64, found bool) {
	h := s.lock(key)
	defer h.mu.Unlock()
	item := h.find(key)
	if item == nil {
		return 0, false
	}
	return item.deadline, true
}

func (s *goStore) size() (keys int, bytes int64) {
	for i := range s.shards {
		h := &s.shards[i]
		h.mu.Lock()
		keys, bytes = keys+h.used.Len(), bytes+h.bytes
		h.mu.Unlock()
	}
	return keys, bytes
}
