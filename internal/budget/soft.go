package budget

// Soft limits: the callbacks that run when one is passed.
//
// Invariant: a request that passes a soft limit is never refused by it. Callbacks run again
// only once held is above the watermark, which is then raised.
//
// Cost: as that of one round of a reclaimer.

// shareDivisor sets the least that a callback is asked for, as a part of what its context holds,
// and by how much held grows before the callbacks of a soft limit run again.
const shareDivisor = 64

// reclaimSoft runs the callbacks of a soft limit once. The request then passes.
func (r *request) reclaimSoft(s *LimitError) {
	a := s.account
	if !a.raiseWatermark(s.More, true) {
		return // another goroutine has just run them
	}
	r.identify()
	for _, next := range r.candidates(a) {
		if a.missing(s) <= 0 {
			break
		}
		_, _ = r.ask(next, s) // the request passes in any case
	}
	a.raiseWatermark(s.More, false)
}

// raiseWatermark has the callbacks run next when a 64th more is held than will be with a
// request of more bytes. With above it does so only if the request is above the watermark
// now, and reports whether it is.
func (a *account) raiseWatermark(more int64, above bool) bool {
	budgets.Lock()
	defer budgets.Unlock()
	held := a.held.Load()
	if above && more <= a.watermark-held {
		return false
	}
	a.watermark = a.soft
	if sum := held + more; sum > a.soft {
		a.watermark = sum + sum/shareDivisor
	}
	return true
}

// lowerWatermark lowers the watermark when held fell by a quarter below it, or to the soft
// limit.
func (a *account) lowerWatermark(held int64) {
	switch {
	case a.watermark == a.soft:
	case held <= a.soft:
		a.watermark = a.soft
	case held < a.watermark-a.watermark/4:
		a.watermark = held + held/shareDivisor
	}
}
