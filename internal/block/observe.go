package block

// observers are called when memory is acquired or released: one when more is resident
// or retained than a threshold, another at the first operation after a pause.
//
// Invariant: they are called without the lock. After an acquisition the memory has not
// been written to yet: it becomes resident after the call returns.
//
// Cost: two compares for each acquisition or release while there is no observer.
type observers struct {
	operations uint64          // acquisitions, releases and growths, ever
	resumed    chan<- struct{} // gets a value at the next operation, once; nil: no goroutine waits
	thresholds
}

// thresholds are how much may be resident or retained, and what to call beyond that.
type thresholds struct {
	aboveResident, aboveRetained func() // nil: none
	maxResident, maxRetained     uintptr
}

// countOperation counts an acquisition, release or growth.
func (o *observers) countOperation() {
	o.operations++
	if o.resumed == nil {
		return
	}
	select {
	case o.resumed <- struct{}{}:
	default: // it has the value of an earlier operation
	}
	o.resumed = nil
}

// residentExcess returns the function to call, without the lock, after an acquisition,
// or nil.
func (t *thresholds) residentExcess() func() {
	if t.aboveResident == nil || heap.inUse+heap.retained <= t.maxResident { // as if all in use were written to
		return nil
	}
	return t.aboveResident
}

// retainedExcess returns the function to call, without the lock, after a release, or
// nil.
func (t *thresholds) retainedExcess() func() {
	if t.aboveRetained == nil || heap.retained <= t.maxRetained {
		return nil
	}
	return t.aboveRetained
}

// OnExcess sets the functions to call while more is resident or retained than
// SetThresholds allows, which is nothing at first. resident is called by the goroutine
// that acquired or grew a block; retained by one that released a block, which may hold
// locks of its own. nil removes them; calls that have begun may still be running then.
func OnExcess(resident, retained func()) {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	heap.thresholds = thresholds{aboveResident: resident, aboveRetained: retained}
}

// SetThresholds sets how many bytes may be resident, in use or retained, and how many
// retained, before the functions of OnExcess are called.
func SetThresholds(resident, retained uintptr) {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	heap.maxResident, heap.maxRetained = resident, retained
}

// Operations returns how many acquisitions, releases and growths there have been.
func Operations() uint64 {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	return heap.operations
}

// TrimAndNotify works as Trim does, and sends a value to resumed, which must have a buffer of
// at least one, at the next operation, once; an operation while it trims is one. nil
// removes a channel set before, and trims nothing.
func TrimAndNotify(resumed chan<- struct{}) {
	heap.mu.Lock()
	heap.resumed = resumed
	heap.mu.Unlock()
	if resumed != nil {
		Trim()
	}
}
