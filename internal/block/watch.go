package block

// Watching the stock: who balances this memory with other memory is asked when more
// of it becomes resident, or unused, than was granted, and who gives unused memory
// back after a while learns whether there was any trade.
//
// Invariant: whoever is asked holds no lock of the warehouse, and what was bought was
// not yet written to: it becomes resident after the answer.
//
// Cost: two compares for a purchase or a sale while nobody watches.
type watch struct {
	trades  uint64          // purchases and sales, ever
	resumed chan<- struct{} // told of the next trade, once; nil: nobody waits
	balancer
}

// balancer is whom to ask.
type balancer struct {
	grown, piled   func()  // more is resident, or retained, than was granted; nil: nobody balances
	most, mostKept uintptr // bytes that may be resident, and retained, without a question
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

// afterPurchase is whom to ask, the lock free again, after a purchase; nil: nobody.
func (b *balancer) afterPurchase() func() {
	if b.grown == nil || resident() <= b.most {
		return nil
	}
	return b.grown
}

// afterSale is whom to ask, the lock free again, after a sale; nil: nobody.
func (b *balancer) afterSale() func() {
	if b.piled == nil || retained() <= b.mostKept {
		return nil
	}
	return b.piled
}

// resident is what is in use, as if all of it were written to, and what is retained.
func resident() uintptr { return warehouse.sold + retained() }

// OnExcess has functions called when more is resident, or retained, than SetThresholds
// granted, which is nothing at first: grown by the goroutine that has bought, piled by
// one that has sold and may hold locks of its own. nil takes them away; a call that
// has begun may then still be under way.
func OnExcess(grown, piled func()) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	warehouse.balancer = balancer{grown: grown, piled: piled}
}

// SetThresholds lets so many bytes be resident, and retained, without a question.
func SetThresholds(most, kept uintptr) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	warehouse.most, warehouse.mostKept = most, kept
}

// Operations is how many purchases and sales there were.
func Operations() uint64 {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	return warehouse.trades
}

// TrimAndNotify is Trim, and has resumed, which must have room for one, told of the
// next trade, once; a trade while it trims is one. nil ends the wait for that.
func TrimAndNotify(resumed chan<- struct{}) {
	warehouse.mu.Lock()
	warehouse.resumed = resumed
	warehouse.mu.Unlock()
	if resumed != nil {
		Trim()
	}
}
