package cache

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Entries: a key and its value in one chunk, behind links.
//
// Invariant: size and key are the lengths of the value and of the key, which follow the entry in its chunk.
//
// Cost: an entry takes 56 bytes and its chunk's header beside its key and its value, so that a hit reads one
// place of memory beside the index.

// An entry is what stands before a key and its value.
type entry struct {
	palloc.NoHeapPointers
	newer, older *entry // in the queue
	same         *entry // in the chain
	hash         uint64
	deadline     int64  // see nanoseconds
	size         int    // bytes of the value
	key          uint32 // bytes of the key, which follows
	used         bool   // since it was inserted, or the hand passed
}

// header is how many bytes stand before a key.
const header = int(unsafe.Sizeof(entry{}))

// newEntry returns an entry that is in no queue and no chain, with a copy of its key and value.
func newEntry(mc palloc.Context, hash uint64, key string, value []byte, deadline int64) (*entry, error) {
	chunk, err := mc.TryAlloc(header + len(key) + max(len(value), 1)) // the value begins in the chunk
	if err != nil {
		return nil, err
	}
	e := (*entry)(chunk) // new, and as long as all three
	*e = entry{hash: hash, deadline: deadline, size: len(value), key: uint32(len(key))}
	copy(e.bytes(0, len(key)), key)
	copy(e.value(), value)
	return e, nil
}

// bytes returns some of those behind the entry.
func (e *entry) bytes(from, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), header+from)), n) // in the chunk, see newEntry
}

// has reports whether the entry is that of a key.
func (e *entry) has(key string) bool { return string(e.bytes(0, int(e.key))) == key }

// value returns the value, to which nothing can be appended in place.
func (e *entry) value() []byte { return e.bytes(int(e.key), e.size) }

// footprint returns how many bytes the chunk of an entry takes.
func (e *entry) footprint() int64 { return int64(palloc.Footprint(unsafe.Pointer(e))) } // the start of a chunk

// asString returns a key as a string, which is not kept.
func asString(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) } // no longer than the call
