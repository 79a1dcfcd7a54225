package chunk

import "math/bits"

// The size classes of AllocSet: steps of 8 bytes up to 64, four classes to each
// doubling up to 2048, two up to 8192. Sizes are what the caller may use; the
// header comes on top.
//
// The tables are constant strings: the compiler folds a look-up of a constant
// size into a number, and keeps them in read-only memory.
const (
	Classes  = 32
	MaxSmall = 1024 // largest size of the table that the hot path looks into
	MaxSize  = 8192 // largest size of any class
)

// fineClass has the class of sizes up to 1024, by (size-1)/8.
const fineClass = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x08\x09\x09\x0a\x0a\x0b\x0b\x0c\x0c\x0c\x0c\x0d\x0d\x0d\x0d\x0e\x0e\x0e\x0e\x0f\x0f\x0f\x0f" +
	"\x10\x10\x10\x10\x10\x10\x10\x10\x11\x11\x11\x11\x11\x11\x11\x11\x12\x12\x12\x12\x12\x12\x12\x12\x13\x13\x13\x13\x13\x13\x13\x13" +
	"\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x14\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15" +
	"\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17\x17"

// coarseClass has the class of sizes up to 8192, by (size-1)/256.
const coarseClass = "\x0f\x13\x15\x17\x18\x19\x1a\x1b\x1c\x1c\x1c\x1c\x1d\x1d\x1d\x1d\x1e\x1e\x1e\x1e\x1e\x1e\x1e\x1e\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f"

// fineWhole has what a chunk of sizes up to 1024 takes with its header, in words
// of 8 bytes, by (size-1)/8.
const fineWhole = "\x02\x03\x04\x05\x06\x07\x08\x09\x0b\x0b\x0d\x0d\x0f\x0f\x11\x11\x15\x15\x15\x15\x19\x19\x19\x19\x1d\x1d\x1d\x1d\x21\x21\x21\x21" +
	"\x29\x29\x29\x29\x29\x29\x29\x29\x31\x31\x31\x31\x31\x31\x31\x31\x39\x39\x39\x39\x39\x39\x39\x39\x41\x41\x41\x41\x41\x41\x41\x41" +
	"\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x51\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61\x61" +
	"\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x71\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81"

// classSize has the sizes of all classes.
var classSize = [Classes]uint16{
	8, 16, 24, 32, 40, 48, 56, 64,
	80, 96, 112, 128, 160, 192, 224, 256,
	320, 384, 448, 512, 640, 768, 896, 1024,
	1280, 1536, 1792, 2048, 3072, 4096, 6144, 8192,
}

// classWhole has the same with the header.
var classWhole = [Classes]uint16{
	16, 24, 32, 40, 48, 56, 64, 72,
	88, 104, 120, 136, 168, 200, 232, 264,
	328, 392, 456, 520, 648, 776, 904, 1032,
	1288, 1544, 1800, 2056, 3080, 4104, 6152, 8200,
}

// SmallClass is the class of a size from 1 to MaxSmall.
func SmallClass(size uintptr) uint64 { return uint64(fineClass[(size-1)>>3]) }

// SmallTotalSize is what a chunk of a size from 1 to MaxSmall takes with its header.
func SmallTotalSize(size uintptr) uintptr { return uintptr(fineWhole[(size-1)>>3]) << 3 }

// ConstClass is SmallClass, for a size that is a constant: the compiler works
// arithmetic out earlier than it looks into tables.
func ConstClass(size uintptr) uint64 {
	n := uint64(size - 1)
	length := uint64(bits.Len64(n | 32))
	return n>>(length-3) + 4*length - 24
}

// Class is the class of a size from 0 to MaxSize.
func Class(size uintptr) uint64 {
	if size <= MaxSmall {
		return SmallClass(max(size, 1))
	}
	return uint64(coarseClass[(size-1)>>8])
}

// Size is the size of a class.
func Size(class uint64) uintptr { return uintptr(classSize[class]) }

// TotalSize is what a chunk of a class takes with its header.
func TotalSize(class uint64) uintptr { return uintptr(classWhole[class]) }

// FloorClass is the largest class whose size is at most room; room is at least 8.
func FloorClass(room uintptr) uint64 {
	if room >= MaxSize {
		return Classes - 1
	}
	class := Class(room)
	if Size(class) > room {
		class--
	}
	return class
}
