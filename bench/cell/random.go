package cell

// The random numbers of all cells: xorshift64.
//
// Invariant: draw never returns 0 for what is not 0. Cost: six instructions;
// everything is inlined, and the state is a plain number that stays in a register.

// seeds are where each of two threads begins.
var seeds = [2]uint64{88172645463325252, 362436069362436069}

// draw returns the number after x.
func draw(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

// slotOf returns the slot that a draw picks.
func slotOf(x uint64) uint64 { return (x >> 32) * slots >> 32 }

// sizeOf returns the size that a draw picks: 16 to 512 bytes.
func sizeOf(x uint64) int { return int(16 + (x&0xffff)*497>>16) }
