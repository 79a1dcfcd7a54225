package hashmap

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"unsafe" // a key of Strings is a pointer and two numbers, and bytes are read as a string

	"github.com/gopalloc/palloc"
)

// Keys of Strings.
//
// Invariant: the bytes are a string that palloc.CloneString made for the key alone, or none.
//
// Cost: 16 bytes, as a string has, since the length takes the place of the hash's other half: the
// hash is there so that a table grows without a look at its keys' bytes.

type text struct {
	palloc.NoHeapPointers
	data *byte
	size uint32
	hash uint32 // the low half
}

// string returns the key as a string, without a copy.
func (k *text) string() string { return unsafe.String(k.data, k.size) }

// is reports whether the key is a string. One of 8 to 16 bytes is compared without a call.
func (k *text) is(key string) bool {
	n := len(key)
	if int(k.size) != n {
		return false
	}
	if n < 8 || n > 16 {
		return k.string() == key
	}
	a, b := bytesOf(k.string()), bytesOf(key)
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b) &&
		binary.LittleEndian.Uint64(a[n-8:]) == binary.LittleEndian.Uint64(b[n-8:])
}

// bytesOf returns the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// hashOfString returns the hash of a key: of its first and last bytes, if these are all, folded
// twice.
func hashOfString(h *hasher, key string) uint64 {
	b := bytesOf(key)
	if n := len(b); n >= 8 && n <= 16 {
		low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
		return h.words(low, high, uint64(n))
	}
	return maphash.String(h.seed, key)
}

// asString returns bytes as a string, without a copy, for as long as they do not change.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// newText copies a key into the context. The error is an *OutOfMemoryError.
func newText(op string, mc palloc.Context, key string, hash uint64) (text, error) {
	if uint64(len(key)) > math.MaxUint32 {
		mc.Lifetime().Misuse(op, "a key has less than 4 GiB")
	}
	copied, err := palloc.TryCloneString(mc, key)
	if out, ok := err.(*palloc.OutOfMemoryError); ok {
		out.Op = op
	}
	if err != nil {
		return text{}, err
	}
	return text{data: unsafe.StringData(copied), size: uint32(len(key)), hash: uint32(hash)}, nil
}
