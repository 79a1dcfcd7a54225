package cell

// The types of the chunks.
//
// Invariant: each is as large as its name says, on every architecture. Cost:
// none.

// Chunks without pointers: their first 8 bytes are a number.
type (
	plain16  [2]uint64
	plain64  [8]uint64
	plain100 [100]byte
	plain128 [16]uint64
	plain256 [32]uint64
)

// Chunks on Go's heap, which stay alive by being linked.
type (
	linked16 struct {
		prev *linked16
		rest [16 - word]byte
	}
	linked64 struct {
		prev *linked64
		rest [64 - word]byte
	}
	linked256 struct {
		prev *linked256
		rest [256 - word]byte
	}
)

// word is the size of a pointer.
const word = 4 << (^uintptr(0) >> 63)
