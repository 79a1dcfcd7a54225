package block

// Watching the stock: who balances this memory with other memory is asked when more
// of it becomes resident than was granted, and who gives unused memory back after a
// while learns whether there was any trade.
//
// Invariant: whoever is asked holds no lock of the warehouse, and what was bought was
// not yet written to: it becomes resident after the answer.
//
// Cost: two compares for a purchase, one for a sale while nobody watches.
type watch struct {
	trades  uint64          // purchases and sales, ever
	resumed chan<- struct{} // told of the next trade, once; nil: nobody waits
	ask     func()          // asked beyond granted; nil: nobody balances
	granted uintptr         // bytes that may be resident without a question
}

// trade counts a purchase or a sale.
func (w *watch) trade() {
	w.trades++
	if w.resumed != nil {
		w.tell()
	}
}

// tell is apart from trade because it happens once in a while.
func (w *watch) tell() {
	select {
	case w.resumed <- struct{}{}:
	default: // it was told and has not looked yet
	}
	w.resumed = nil
}

// passed is whom to ask, the lock free again, after a purchase; nil: nobody.
func passed() func() {
	if warehouse.ask == nil || resident() <= warehouse.granted {
		return nil
	}
	return warehouse.ask
}

// resident is what is in use, as if all of it were written to, and what is retained.
func resident() uintptr { return warehouse.sold + retained() }

// OnGrowth has ask called, by the goroutine that buys, when memory was bought and
// more is resident than Grant granted: 0 at first. nil takes it away; a call that has
// begun may then still be under way.
func OnGrowth(ask func()) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	warehouse.ask, warehouse.granted = ask, 0
}

// Grant lets so many bytes be resident without a question.
func Grant(bytes uintptr) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	warehouse.granted = bytes
}

// Trades is how many purchases and sales there were.
func Trades() uint64 {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	return warehouse.trades
}

// TrimAndAwait is Trim, and has resumed, which must have room for one, told of the
// next trade, once. nil ends the wait for that.
func TrimAndAwait(resumed chan<- struct{}) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	if warehouse.resumed = resumed; resumed != nil {
		trim(0)
	}
}
