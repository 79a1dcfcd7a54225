package cache

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Chunks and keys by their addresses.
//
// Invariant: nothing is written through what these return.
//
// Cost: a look at two headers; none.

// footprint returns how many bytes the chunks of an entry take.
func footprint(e *entry) int64 {
	return int64(palloc.Footprint(unsafe.Pointer(e)) + palloc.Footprint(unsafe.Pointer(unsafe.SliceData(e.data)))) // starts of chunks
}

// asString returns a key as a string, which is not kept.
func asString(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) } // no longer than the call
