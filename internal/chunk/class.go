package chunk

import "math/bits"

// The size classes of an AllocSet: steps of 8 bytes up to 64, four classes to each
// doubling up to 2048, two up to 8192. Sizes are usable bytes; total sizes include
// the header.
//
// The tables by size are constant strings, which lie in read-only memory; the
// compiler computes a look-up with a constant index.
const (
	Classes  = 32
	MaxSmall = 1024 // largest size in the table that the hot path reads
	MaxSize  = 8192 // largest size of any class
)

// smallClass is the class of sizes up to 1024, by (size-1)/8.
const smallClass = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x08\x09\x09\x0a\x0a\x0b\x0b\x0c\x0c\x0c\x0c\x0d\x0d\x0d\x0d\x0e\x0e\x0e\x0e\x0f\x0f\x0f\x0f" +
	"\x10\x10\x10\x10\x10\x10\x10\x10\x11\x11\x11\x11\x11\x11\x11\x11\x12\x12\x12\x12\x12\x12\x12\x12\x13\x13\x13\x13\x13\x13\x13\x13" +
	"\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15" +
	"\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17"

// mediumClass is the class of sizes up to 8192, by (size-1)/256.
const mediumClass = "\x0f\x13\x15\x17\x18\x19\x1a\x1b\x1c\x1c\x1c\x1c\x1d\x1d\x1d\x1d\x1e\x1e\x1e\x1e\x1e\x1e\x1e\x1e\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f"

// smallTotal is the total size of a chunk of sizes up to 1024, in words of 8 bytes, by
// (size-1)/8.
const smallTotal = "\x02\x03\x04\x05\x06\x07\x08\x09\x0b\x0b\x0d\x0d\x0f\x0f\x11\x11\x15\x15\x15\x15\x19\x19\x19\x19\x1d\x1d\x1d\x1d\x21\x21\x21\x21" +
	"\x29\x29\x29\x29\x29\x29\x29\x29\x31\x31\x31\x31\x31\x31\x31\x31\x39\x39\x39\x39\x39\x39\x39\x39\x41\x41\x41\x41\x41\x41\x41\x41" +
	"\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61" +
	"\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81"

// classSize is the size of each class.
var classSize = [Classes]uint16{
	8, 16, 24, 32, 40, 48, 56, 64,
	80, 96, 112, 128, 160, 192, 224, 256,
	320, 384, 448, 512, 640, 768, 896, 1024,
	1280, 1536, 1792, 2048, 3072, 4096, 6144, 8192,
}

// classTotal is the total size of each class.
var classTotal = [Classes]uint16{
	16, 24, 32, 40, 48, 56, 64, 72,
	88, 104, 120, 136, 168, 200, 232, 264,
	328, 392, 456, 520, 648, 776, 904, 1032,
	1288, 1544, 1800, 2056, 3080, 4104, 6152, 8200,
}

// SmallClass returns the class of a size from 1 to MaxSmall.
func SmallClass(size uintptr) uint64 { return uint64(smallClass[(size-1)>>3]) }

// SmallTotalSize returns what a chunk of a size from 1 to MaxSmall takes with its
// header, in bytes.
func SmallTotalSize(size uintptr) uintptr { return uintptr(smallTotal[(size-1)>>3]) << 3 }

// ConstClass returns what SmallClass does, for a size that is a constant: the compiler
// evaluates arithmetic earlier than look-ups in tables.
func ConstClass(size uintptr) uint64 {
	n := uint64(size - 1)
	length := uint64(bits.Len64(n | 32))
	return n>>(length-3) + 4*length - 24
}

// Class returns the smallest class for a size from 0 to MaxSize.
func Class(size uintptr) uint64 {
	if size <= MaxSmall {
		return SmallClass(max(size, 1))
	}
	return uint64(mediumClass[(size-1)>>8])
}

// Size returns the size of a class in bytes.
func Size(class uint64) uintptr { return uintptr(classSize[class]) }

// TotalSize returns what a chunk of a class takes with its header, in bytes.
func TotalSize(class uint64) uintptr { return uintptr(classTotal[class]) }

// FloorClass returns the largest class whose size is at most size, which is at least 8.
func FloorClass(size uintptr) uint64 {
	if size >= MaxSize {
		return Classes - 1
	}
	class := Class(size)
	if Size(class) > size {
		class--
	}
	return class
}
