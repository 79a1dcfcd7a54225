package hashmap

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"unsafe" // reads the bytes of a key
)

// Hashes of keys.
//
// Invariant: keys that are equal have one hash, in one map; a map draws its seeds when it is made,
// so that keys which collide cannot be chosen in advance. The lowest bits choose the table, the
// highest of the low 32 the group in it, and the highest seven bits are the tag: none has more than
// one use while there are fewer than 2^24 tables.
//
// Cost: two multiplications for a key of 1, 2, 4 or 8 bytes that is compared by its bytes. Others
// take hash/maphash: the bytes at once if they decide, otherwise field by field. A key that has
// both floats or strings and pointers is copied to Go's heap by that.

// A hashing is how the keys of a type are hashed.
type hashing uint8

const (
	byValue hashing = iota // by maphash.Comparable
	byWord                 // as an integer
	byBytes                // the bytes in memory
	byText                 // a text, which has its hash
)

// A hasher hashes the keys of one map.
type hasher struct {
	how        hashing
	xor, times uint64 // of byWord
	seed       maphash.Seed
}

func newHasher(t reflect.Type) hasher {
	h := hasher{how: byValue, xor: rand.Uint64(), times: rand.Uint64() | 1, seed: maphash.MakeSeed()}
	switch size := t.Size(); {
	case t == reflect.TypeFor[text]():
		h.how = byText
	case !decidedByBytes(t):
	case size == 1 || size == 2 || size == 4 || size == 8:
		h.how = byWord
	default:
		h.how = byBytes
	}
	return h
}

// decidedByBytes reports whether two values are equal just when all of their bytes are.
func decidedByBytes(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return decidedByBytes(t.Elem())
	case reflect.Struct:
		used := uintptr(0)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" || !decidedByBytes(f.Type) {
				return false
			}
			used += f.Type.Size()
		}
		return used == t.Size() // else there is padding
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128, reflect.String, reflect.Interface:
		return false
	}
	return true
}

// hashOf returns the hash of a key.
func hashOf[K comparable](h *hasher, k K) uint64 {
	if h.how == byWord {
		return h.word(wordOf(&k))
	}
	return hashSlowly(h, k)
}

// word returns the hash of a word: the two halves of a product, folded, twice. Once is not enough
// for numbers in a row: with some seeds they would crowd into a few groups.
func (h *hasher) word(w uint64) uint64 {
	a, b := bits.Mul64(w^h.xor, h.times)
	c, d := bits.Mul64(a^b, h.times)
	return c ^ d
}

// words returns the hash of two words and a size. The words differ for different keys of one size.
func (h *hasher) words(low, high, size uint64) uint64 {
	a, b := bits.Mul64(low^h.xor, high^h.times)
	c, d := bits.Mul64(a^b^size, h.times)
	return c ^ d
}

// wordOf returns the bytes of a key of 1, 2, 4 or 8 bytes as a number.
func wordOf[K comparable](k *K) uint64 {
	switch p := unsafe.Pointer(k); unsafe.Sizeof(*k) {
	case 8:
		return *(*uint64)(p)
	case 4:
		return uint64(*(*uint32)(p))
	case 2:
		return uint64(*(*uint16)(p))
	default:
		return uint64(*(*uint8)(p))
	}
}

// hashSlowly is hashOf for keys that are not one word.
func hashSlowly[K comparable](h *hasher, k K) uint64 {
	switch h.how {
	case byBytes:
		return maphash.Bytes(h.seed, unsafe.Slice((*byte)(unsafe.Pointer(&k)), unsafe.Sizeof(k)))
	case byText:
		return (*text)(unsafe.Pointer(&k)).hash()
	}
	return maphash.Comparable(h.seed, k)
}
