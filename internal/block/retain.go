package block

import "github.com/gopalloc/palloc/internal/osmem"

// What was sold back stays resident for the next buyer, within a bound: as much
// as was in use at the latest peak, and never less than retainLeast. Beyond it a
// run goes back to the system the moment it is freed, and after each period,
// by a goroutine that then ends, whatever lies above the bound by then. A service that swings between
// little and much thus keeps its swing, and one that shrank for good lets go
// after two periods of purchases.
const (
	retainLeast  = 64 << 20
	retainPeriod = 1 << 14 // purchases
)

// tide follows the bytes in use and their latest peaks.
type tide struct {
	sold      uintptr // bytes in the hands of buyers
	peak, old uintptr // highest sold in this period and in the one before
	purchases int     // in this period
	limit     uintptr // of the bound, plus one; 0: none was set
}

// bought counts a purchase, and answers whom to call, the lock free again; nil: nobody.
func bought(size uintptr) func() {
	warehouse.trade()
	if warehouse.rise(size) && retained() > warehouse.bound() && osmem.Current().DiscardFrees() {
		if warehouse.due = true; !warehouse.underway {
			warehouse.underway = true
			return endPeriod
		}
	}
	return warehouse.afterPurchase()
}

// endPeriod has old stock go back, and calls who is to be asked after a purchase.
func endPeriod() {
	go giveBackDue()
	warehouse.mu.Lock()
	ask := warehouse.afterPurchase()
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
}

// rise counts a purchase and says whether it ends a period.
func (t *tide) rise(size uintptr) bool {
	t.sold += size
	t.peak = max(t.peak, t.sold)
	if t.purchases++; t.purchases < retainPeriod {
		return false
	}
	t.purchases, t.old, t.peak = 0, t.peak, t.sold
	return true
}

// bound is a little above the tide: fragments of a page of the system count as
// retained, and cannot be given back.
func (t *tide) bound() uintptr {
	most := max(retainLeast, t.peak, t.old)
	most += most >> 4
	if t.limit != 0 {
		return min(most, t.limit-1)
	}
	return most
}

// SetRetention limits the bound to so many bytes, and gives back what lies above.
// MaxRetention and above is no limit.
func SetRetention(bytes uintptr) {
	warehouse.mu.Lock()
	warehouse.limit = bytes + 1
	if bytes >= MaxRetention {
		warehouse.limit = 0
	}
	warehouse.mu.Unlock()
	giveBack(theBound)
}

// Trim gives the memory of every unused unit back to the system and answers how
// many bytes that were. The address space stays.
func Trim() uintptr { return giveBack(nothing) }

// TrimTo is Trim, but stops when about so many bytes are retained.
func TrimTo(keep uintptr) uintptr { return giveBack(func() uintptr { return keep }) }

// MaxRetention is what no bound reaches.
const MaxRetention = ^uintptr(0) >> 1
