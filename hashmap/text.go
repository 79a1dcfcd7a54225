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
// hash is there so that a table grows without a look at its keys' bytes, and so that two keys which
// differ are seldom compared. A key of 8 to 16 bytes is hashed and compared as two words.

type text struct {
	palloc.NoHeapPointers
	data *byte
	mark uint64
}

// markOf returns the mark of a key: the low half of its hash, and its size.
func markOf(hash uint64, size int) uint64 { return hash<<32 | uint64(size) }

// hash returns the low half of the key's hash.
func (k *text) hash() uint64 { return k.mark >> 32 }

// string returns the key as a string, without a copy.
func (k *text) string() string { return unsafe.String(k.data, uint32(k.mark)) }

// is reports whether the key, of 8 to 16 bytes, has these first and last eight.
func (k *text) is(low, high uint64) bool {
	return wordAt(k.data, 0) == low && wordAt(k.data, uintptr(uint32(k.mark))-8) == high
}

// isShort reports whether a key has 8 to 16 bytes.
func isShort(key string) bool { return uint(len(key)-8) <= 8 }

// wordsOf returns the first and the last eight bytes of a key, which are all of a short one.
func wordsOf(key string) (low, high uint64) {
	data := unsafe.StringData(key)
	return wordAt(data, 0), wordAt(data, uintptr(len(key)-8))
}

// wordAt returns eight bytes as a word.
func wordAt(data *byte, at uintptr) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(data), at))[:])
}

// hashOfString returns the hash of a key.
func hashOfString(h *hasher, key string) uint64 {
	if isShort(key) {
		low, high := wordsOf(key)
		return h.words(low, high, uint64(len(key)))
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
	return text{data: unsafe.StringData(copied), mark: markOf(hash, len(key))}, nil
}
