package hashmap

import "math/bits"

// A group: seven slots and a word of control bytes. A byte tells for each slot whether it holds an
// entry, and seven bits of its key's hash; the eighth byte tells which keys a search must go on for
// to the next group. All slots are compared at once, by arithmetic.
//
// Invariant: byte i of the word, counted from the low end, is that of slot i: 0 for an empty slot,
// or the tag of the entry's hash, which has its high bit set. The highest byte has a bit for each
// eighth of the tags: it is set if an entry with such a tag was put into a later group since this
// one was full. Memory that is zero is a group of empty slots.
//
// Cost: some instructions to find the slots of a tag, on any machine, and as many again for each
// group that a search goes on to: the fuller a table is, the more do.

// perGroup is the number of slots in a group.
const perGroup = 7

const (
	ones  = 0x0101010101010101 // the low bit of each byte
	highs = 0x0080808080808080 // the high bit of each slot's byte

	overflowShift = 8 * perGroup // of the highest byte
)

// A slot holds an entry. The value comes first, since Go pads a struct that ends in a field of no
// size, as the values of a Set are.
type slot[K comparable, V any] struct {
	value V
	key   K
}

type group[K comparable, V any] struct {
	control uint64
	slots   [perGroup]slot[K, V]
}

// tagOf returns the tag of a hash: its highest seven bits.
func tagOf(hash uint64) uint64 { return hash>>57 | 1<<7 }

// overflowOf returns the bit in a control word for entries with a tag in later groups.
func overflowOf(tag uint64) uint64 { return 1 << overflowShift << (tag % 8) }

// The matches below are words with the high bit of each byte set whose slot matches.

// matchTag returns the slots that have the tag, which is given in all bytes. It may also match a
// slot above one that has it, if that holds an entry whose tag is the same but for the lowest bit.
func matchTag(control, tags uint64) uint64 {
	x := control ^ tags
	return (x - ones) &^ x & highs
}

// matchEmpty returns the empty slots.
func matchEmpty(control uint64) uint64 { return ^control & highs }

// matchFull returns the slots with an entry.
func matchFull(control uint64) uint64 { return control & highs }

// first returns the lowest slot of a match, which is not 0.
func first(match uint64) uint { return uint(bits.TrailingZeros64(match)) >> 3 }

// tagAt returns the control byte of a slot.
func tagAt(control uint64, i uint) uint64 { return control >> (i * 8) & 0xff }
