// Package hot has the hot paths of palloc as loops, and checks what they are
// compiled to: what is inlined, and how many instructions they take.
package hot

import "github.com/gopalloc/palloc"

// The loops, as a user writes them.
//
// Invariant: every chunk is written to; nothing makes garbage after a path has
// begun, nor reads a clock. Cost: of a round, what the golden file says.

// Paths are the hot paths by name, each a function that runs a number of rounds.
var Paths = map[string]func(rounds int){
	"bump": bump, "new": newInBump, "uncleared": uncleared, "newset": newInSet,
	"pair": pair, "aligned": aligned, "churn": churn, "queue": queue, "call": call, "reset": reset,
	"zeroed": zeroed, "medium": medium, "large": large, "blocks": blocks, "ident": ident, "children": children, "shared": shared, "checked": checked, "sized": sized,
	"text": text, "string": stringInSet, "ref": ref, "vec": vec,
}

// perRound is the number of chunks that a Reset takes back.
const perRound = 100

func bump(n int) {
	mc := palloc.NewBump(palloc.Top(), "hot")
	for range n / perRound {
		for i := range perRound {
			*(*uint64)(mc.Alloc(64)) = uint64(i)
		}
		mc.Reset()
	}
}

func newInBump(n int) { fill(palloc.NewBump(palloc.Top(), "hot"), n) }

func newInSet(n int) { fill(palloc.NewAllocSet(palloc.Top(), "hot"), n) }

func fill(mc palloc.Context, n int) {
	for range n / perRound {
		for i := range perRound {
			palloc.New[[8]uint64](mc)[0] = uint64(i)
		}
		mc.Reset()
	}
}

func uncleared(n int) {
	mc := palloc.NewBump(palloc.Top(), "hot")
	for range n / perRound {
		for i := range perRound {
			palloc.NewUninitialized[[8]uint64](mc)[0] = uint64(i)
		}
		mc.Reset()
	}
}

func pair(n int) { pairsIn(palloc.NewAllocSet(palloc.Top(), "hot"), n) }

func shared(n int) { pairsIn(palloc.NewAllocSet(palloc.Top(), "hot", palloc.Shared()), n) }

func checked(n int) { pairsIn(palloc.NewAllocSet(palloc.Top(), "hot", palloc.Checked()), n) }

func pairsIn(mc palloc.Context, n int) {
	for i := range n {
		p := mc.Alloc(64)
		*(*uint64)(p) = uint64(i)
		palloc.FreePointer(p)
	}
}

func aligned(n int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for i := range n {
		p := mc.AllocAligned(100, 64)
		*(*uint64)(p) = uint64(i)
		palloc.FreePointer(p)
	}
}

// draw returns the random number after x: xorshift64, as in all cells.
func draw(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

// sizeOf returns the size that a draw picks: 16 to 512 bytes.
func sizeOf(x uint64) int { return int(16 + (x&0xffff)*497>>16) }

func churn(n int) {
	const slots, seed = 10_000, 88172645463325252
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	table, x := make([]*uint64, slots), uint64(seed)
	for i := range table {
		x = draw(x)
		table[i] = (*uint64)(mc.Alloc(sizeOf(x)))
		*table[i] = uint64(i)
	}
	for i := range n {
		x = draw(x)
		slot := &table[(x>>32)*slots>>32]
		palloc.Free(*slot)
		p := (*uint64)(mc.Alloc(sizeOf(x)))
		*p = uint64(i)
		*slot = p
	}
}

func queue(n int) {
	const ring = 4096
	mc := palloc.NewGeneration(palloc.Top(), "hot")
	table := new([ring]*uint64)
	for i := range table {
		table[i] = (*uint64)(mc.Alloc(128))
		*table[i] = uint64(i)
	}
	for i := range n {
		p := (*uint64)(mc.Alloc(128))
		*p = uint64(i)
		oldest := table[i%ring]
		table[i%ring] = p
		palloc.Free(oldest)
	}
}

func call(n int) {
	const perCall = 10
	parent := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		mc := palloc.NewAllocSet(parent, "call")
		for i := range perCall {
			*(*uint64)(mc.Alloc(100)) = uint64(i)
		}
		mc.Delete()
	}
}

func reset(n int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		mc.Reset()
	}
}

func zeroed(n int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for i := range n {
		p := mc.AllocZeroed(64)
		*(*uint64)(p) = uint64(i)
		palloc.FreePointer(p)
	}
}

func medium(n int) { pairsOf(n, 2<<10) }

func large(n int) { pairsOf(n, 20<<10) }

func pairsOf(n, size int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for i := range n {
		p := mc.Alloc(size)
		*(*uint64)(p) = uint64(i)
		palloc.FreePointer(p)
	}
}

func blocks(n int) {
	const perReset = 40
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		for i := range perReset {
			*(*uint64)(mc.Alloc(1000)) = uint64(i)
		}
		mc.Reset()
	}
}

func ident(n int) {
	parent := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		mc := palloc.NewAllocSet(parent, "call")
		mc.SetIdent("SELECT 1")
		mc.Delete()
	}
}

// sized creates contexts with an option: no cached node serves them.
func sized(n int) {
	parent := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		mc := palloc.NewAllocSet(parent, "call", palloc.BlockSizes(1<<10, 64<<10))
		mc.Delete()
	}
}

func children(n int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		mc.DeleteChildren()
	}
}

// title is a text of 20 bytes, as a short one of a program.
var title = "twenty bytes of text"

func text(n int) {
	mc := palloc.NewBump(palloc.Top(), "hot")
	sum := 0
	for range n / perRound {
		for range perRound {
			sum += palloc.NewText(mc, title).Len()
		}
		mc.Reset()
	}
	total = sum
}

// total keeps what a path computes.
var total int

func stringInSet(n int) {
	mc := palloc.NewAllocSet(palloc.Top(), "hot")
	for range n {
		palloc.FreeString(palloc.CloneString(mc, title))
	}
}

func ref(n int) {
	mc := palloc.NewBump(palloc.Top(), "hot")
	for range n / perRound {
		for i := range perRound {
			palloc.NewRef[[8]uint64](mc).Get()[0] = uint64(i)
		}
		mc.Reset()
	}
}

func vec(n int) {
	const elements = 8
	mc := palloc.NewBump(palloc.Top(), "hot")
	for range n / perRound {
		for range perRound {
			var v palloc.Vec[uint64]
			for i := range elements {
				v.Append(mc, uint64(i))
			}
		}
		mc.Reset()
	}
}
