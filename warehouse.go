package palloc

import (
	"fmt"
	"math"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/kind"
)

// The warehouse: what the process has bought from the system for all contexts, and
// how much of it may lie unused.
//
// Invariant: InUse is what all contexts hold, and the blocks that deleted contexts
// left for the next ones of their name.
//
// Cost: the warehouse's lock, for a few words a region; lowering the retention below
// what is retained costs what Trim does. What is above the bound after a period goes
// back in a goroutine that ends with its work; what the release of a block leaves above
// it, in that release. The lock is not held meanwhile.

// WarehouseStats are the accounts of the warehouse, in bytes.
type WarehouseStats struct {
	// Reserved is address space. Nothing needs to be behind it.
	Reserved int64

	// Committed is the part of Reserved that was made usable. It never falls; what is
	// neither in use nor retained of it was never written to, or went back to the system.
	Committed int64

	// InUse is what contexts hold, and, with a deleted context's core, blocks of at most
	// 8 KiB that wait for the next one of the name: those are sold as far as the
	// warehouse knows, and only Trim takes them back.
	InUse int64

	// Retained is what was sold back and stays resident for the next buyer, runs that
	// wait for a buyer of just their length included. Trim empties it, SetRetention
	// limits it.
	Retained int64

	// Accounts is what the warehouse's own accounts and the cores of contexts have, in
	// memory beside Reserved. It never falls.
	Accounts int64
}

// Resident is the most that palloc has resident: InUse, as if every byte of it were
// written to, Retained and Accounts.
func (s WarehouseStats) Resident() int64 { return s.InUse + s.Retained + s.Accounts }

// Warehouse reads the accounts of the warehouse at one moment. Any goroutine.
//
// PostgreSQL has none.
func Warehouse() WarehouseStats {
	s := block.ReadStats()
	return WarehouseStats{
		Reserved:  int64(s.Reserved),
		Committed: int64(s.Committed),
		InUse:     int64(s.InUse),
		Retained:  int64(s.Retained),
		Accounts:  int64(s.Metadata + kind.SlotsSize()),
	}
}

// DefaultRetention is the retention that no one limited: what was in use at the
// highest in the last 16384 purchases or those before, or 64 MiB, and a 16th more.
const DefaultRetention = math.MaxInt64

// SetRetention limits what the warehouse keeps resident though it is unused, in
// bytes: beyond it a block goes back to the system as it is sold back. What lies above
// goes back at once. The limit only lowers the bound that DefaultRetention describes,
// and takes that away again; 0 keeps nothing. Runs that wait for a buyer of their
// length count; blocks that wait with a deleted context's core do not, since they are
// sold, see WarehouseStats.InUse. A page of the system that is unused only in part
// cannot go back, and one that became unused by and by goes when the pages around
// it are unused, after the next 16384th block is taken, or with Trim. Where the system refuses
// to take memory back, as Linux does when it is locked, that stays retained. A negative
// number is a Fault. Any goroutine.
//
// PostgreSQL has none.
func SetRetention(bytes int64) {
	if bytes < 0 {
		panic(&Fault{Op: "SetRetention", Reason: fmt.Sprintf("a retention of %d bytes: it is at least 0, or DefaultRetention", bytes)})
	}
	block.SetRetention(uintptr(min(uint64(bytes), uint64(block.MaxRetention))))
}
