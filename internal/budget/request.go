package budget

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// Requests that a budget refuses: what is tried before the program is told.
//
// Invariant: a request is refused only when everything was tried, for each account
// that was short: the kind's own free memory, the context's keeper, and every callback,
// again as long as that gave anything back. No lock is held while callbacks run or
// somebody is waited for. One goroutine at a time has the callbacks of an account
// asked; others wait for it and try again. Where others take what was freed for it, what
// it needs is set aside, and they wait. Of those who wait the first one comes next. A wait that would close a circle is not
// begun: who is in a callback has the other callbacks asked by itself.
//
// Cost: a few words where nobody can free anything; else a step for each callback
// below the account, each time that all were asked.

// request is an allocation that was refused once.
type request struct {
	core         *kind.Core // on whose behalf
	op           string
	path         string // of the context, once a callback runs
	epoch, stamp uint64 // of the core when it began
	arrived      uint64 // how many presses had begun then
	lenient      bool   // a limit that is reached ends it at once
	canceled     canceler

	me     *routine
	nested bool // in a callback that it runs

	press   *press     // that it has begun
	joined  *press     // that it waited for last
	round   []consumer // still to be asked in this round
	rounds  int
	gained  bool    // in this round
	willing bool    // a callback of this round may free more
	closed  int     // how often the account was closed whose callbacks were asked
	moves   int     // how often it left the account whose callbacks were asked
	free    uintptr // most that was free in the core

	asked []Reclaim
}

// press is the asking of an account's callbacks by one goroutine.
type press struct {
	account *account
	by      *routine
	number  uint64
	start   int64         // what the account had been given back when aside was set
	around  *press        // the one in whose callback it is; nobody waits for it then
	done    chan struct{} // closed at its end
	barren  bool          // its last round gave nothing back
	asked   []Reclaim

	waiting []waiter     // for its end
	aside   int64        // of what the limit leaves, for the favored only
	favored []*kind.Core // whom it is for, and for whom its callbacks allocate
}

// waiter is a request that waits, and how much it is to buy.
type waiter struct {
	*request
	more int64
}

// consumer is a listener and about what its context and all below it hold.
type consumer struct {
	*Listener
	weight int64
}

func (p *press) holder() *routine { return p.by }

// supply allocates a chunk in a context of any kind, the slow way: where a budget is
// short it has memory freed and tries again.
func Alloc(c *kind.Core, op string, size uintptr) (uintptr, error) {
	if posted.Load() != 0 {
		AnswerFor(c, op)
	}
	p, err := kinds.Methods[c.Kind()].Alloc(c, size)
	if err == nil {
		return p, nil
	}
	return Retry(c, op, false, err, func() (uintptr, error) { return kinds.Methods[c.Kind()].Alloc(c, size) })
}

// pressing is supply for whatever else may take a block. Each chunk of a shared context
// comes by supply, which therefore makes no closure before it must.
func Try(c *kind.Core, op string, try func() (uintptr, error)) (uintptr, error) {
	p, err := try()
	if err == nil {
		return p, nil
	}
	return Retry(c, op, false, err, try)
}

// leniently is pressing for what the caller can do without: a limit that is reached is
// an error at once, and only soft limits are asked about.
func TryLeniently(c *kind.Core, op string, try func() (uintptr, error)) (uintptr, error) {
	p, err := try()
	if err == nil {
		return p, nil
	}
	return Retry(c, op, true, err, try)
}

// Retry tries again, as long as somebody makes room, what was refused with err.
func Retry(c *kind.Core, op string, lenient bool, err error, try func() (uintptr, error)) (uintptr, error) {
	if _, short := err.(*Shortage); !short {
		return 0, err
	}
	c = c.Owner()
	r := request{core: c, op: op, epoch: c.Epoch, stamp: c.Cookie, lenient: lenient}
	budgets.Lock()
	r.arrived = budgets.presses
	budgets.Unlock()
	defer r.end()
	for {
		if err = r.relieve(err); err != nil {
			return 0, err
		}
		p, again := try()
		if again == nil {
			return p, nil
		}
		err = again
	}
}

// relieve does something about a refusal. It returns nil if the allocation should be
// tried again, else the error.
func (r *request) relieve(err error) error {
	s, short := err.(*Shortage)
	switch {
	case !short:
		return err
	case s.soft:
		r.pass(s)
		return nil
	case r.lenient:
		return err
	case r.dropsKeeper(s):
		return nil
	}
	if r.press != nil && r.press.account != s.account {
		if r.press.account.isClosed() {
			r.closed++
		}
		r.endPress(false)
	}
	if r.closed > turnovers {
		return r.refused(s, errReopened)
	}
	if r.press == nil {
		if again, err := r.enter(s); again || err != nil {
			return err
		}
	}
	return r.makeRoom(s)
}

// errReopened is why nobody is asked by a request whose limit goes and comes back.
var errReopened = errors.New("callbacks took the limit away and set it again, time after time")

// isClosed reports whether the account is not its context's any more.
func (a *account) isClosed() bool {
	budgets.Lock()
	defer budgets.Unlock()
	return budgets.accounts[a.owner.Core.Number()] != a
}

// dropsKeeper gives back the block that the context kept over a reset and has nothing
// in, if the request then fits.
func (r *request) dropsKeeper(s *Shortage) bool {
	c := r.core
	if c.NeedsReset|c.Dirty != 0 || c.Blocks == 0 || c.Cur != c.Blocks+kind.BlockHeader {
		return false
	}
	budgets.Lock()
	fits := s.More-int64(c.Total) <= s.account.room(c)
	budgets.Unlock()
	if fits {
		c.DropKeeper()
	}
	return fits
}

// end ends what the request began, be it by a panic.
func (r *request) end() {
	r.endPress(false)
	if r.me != nil && !r.nested {
		budgets.routines.leave(r.me)
	}
}

// identify finds out whose callback the request is in.
func (r *request) identify() {
	if r.me == nil {
		r.me, r.nested = budgets.routines.enter()
	}
}

// enter makes the request the one that has the account's callbacks asked; where
// another one does, it waits for that and answers true, or, in a callback of it, does
// not wait.
func (r *request) enter(s *Shortage) (again bool, err error) {
	a := s.account
	budgets.Lock()
	fits, idle, last := s.More <= a.room(r.core), a.press == nil && len(a.listeners.list) == 0, r.joined
	budgets.Unlock()
	switch {
	case fits:
		return true, nil
	case idle:
		return false, r.refused(s, nil)
	}
	if err := r.canceled.err(r.core); err != nil {
		return false, r.refused(s, err)
	}
	if last != nil && last.account == a && last.barren && last.number > r.arrived {
		r.asked = last.asked // all were asked since this request began
		return false, r.refused(s, nil)
	}
	r.identify()
	running := r.begin(a, s.More)
	if running == nil {
		return false, nil
	}
	switch err = r.awaitPress(running, s.More); {
	case r.press != nil: // it is this one's turn
		return true, nil
	case err == nil:
		r.joined = running
		return true, nil
	case err == errCircle:
		r.press = running.within(r)
		return false, nil
	case !r.roomless(s): // a limit was raised, or the callback goes on though it freed enough
		return true, nil
	}
	return false, r.refused(s, err)
}

// awaitPress waits for the end of a press, where begin counted what the request wants. A
// callback that runs meanwhile may panic, or end the goroutine.
func (r *request) awaitPress(p *press, more int64) error {
	defer func() {
		budgets.Lock()
		p.account.wanted -= more
		p.waiting = slices.DeleteFunc(p.waiting, func(w waiter) bool { return w.request == r })
		budgets.Unlock()
	}()
	return r.await(p, p.done, time.Now().Add(maxWait))
}

// roomless says that there is no room for the request.
func (r *request) roomless(s *Shortage) bool {
	budgets.Lock()
	defer budgets.Unlock()
	return s.More > s.account.room(r.core)
}

// releases is what the account was given back, ever.
func (a *account) releases() int64 {
	budgets.Lock()
	defer budgets.Unlock()
	return a.released
}

// begin makes the request's press the account's, or answers the one that is under way,
// and counts what the request wants for as long as it waits.
func (r *request) begin(a *account, more int64) (running *press) {
	budgets.Lock()
	defer budgets.Unlock()
	if p := a.press; p != nil {
		a.wanted += more
		p.waiting = append(p.waiting, waiter{r, more})
		return p
	}
	r.register(a)
	return nil
}

// register makes a press of the request the account's. The lock of budgets must be held.
func (r *request) register(a *account) {
	budgets.presses++
	r.press = &press{account: a, by: r.me, number: budgets.presses, done: make(chan struct{}), favored: []*kind.Core{r.core}}
	a.press = r.press
}

// handOn lets the one go on that arrived first of those who wait, with what it needs set
// aside if there is as much. One that is answering as an owner is passed over. The lock of
// budgets must be held.
func (p *press) handOn() {
	var next waiter
	for _, w := range p.waiting {
		if w.me.on == holding(p) && (next.request == nil || w.arrived < next.arrived) {
			next = w
		}
	}
	if next.request == nil {
		return
	}
	next.register(p.account)
	if next.more <= p.account.limit-p.account.held.Load() {
		next.press.aside = next.more
	}
}

// within is the press of a request in a callback of p. What p sets aside is for it, too.
func (p *press) within(r *request) *press {
	budgets.Lock()
	defer budgets.Unlock()
	p.favored = append(p.favored, r.core)
	return &press{account: p.account, by: r.me, around: p}
}

// endPress lets the next one ask the account's callbacks. Those who wait learn whether
// the last round gave nothing back.
func (r *request) endPress(barren bool) {
	p := r.press
	if p == nil {
		return
	}
	r.press, r.round, r.rounds = nil, nil, 0
	budgets.Lock()
	defer budgets.Unlock()
	if q := p.around; q != nil {
		i := slices.Index(q.favored, r.core)
		q.favored = slices.Delete(q.favored, i, i+1)
		return
	}
	p.barren, p.asked = barren, slices.Clone(r.asked)
	if p.account.press = nil; !barren {
		p.handOn()
	}
	p.by = nil // who has not woken up yet does not wait for this goroutine any more
	close(p.done)
}

// turnovers is how many times over what the limit allows may be given back and taken
// by others, how often the context may be moved, and the limit be taken away and set
// again, before a request gives up.
const (
	turnovers = 4
)

// makeRoom has callbacks asked until an attempt is worth it, or all were asked for
// nothing.
func (r *request) makeRoom(s *Shortage) error {
	a := s.account
	for r.roomless(s) {
		if r.leaves(a) {
			return nil
		}
		if err := r.canceled.err(r.core); err != nil {
			return r.refused(s, err)
		}
		if len(r.round) == 0 {
			if r.rounds > 0 && (!r.gained && !r.willing || r.turnedOver()) {
				return r.refused(s, nil)
			}
			if r.begins(s); len(r.round) == 0 {
				return r.refused(s, r.deep(a))
			}
		}
		next := r.round[0]
		r.round = r.round[1:]
		if freer, err := r.ask(next, s); err != nil {
			return r.refused(s, err)
		} else if freer {
			return nil
		}
	}
	return nil
}

// leaves says that a callback moved the context out of the account, whose limit has no
// say in it any more. One that is moved again and again is not followed for ever.
func (r *request) leaves(a *account) bool {
	budgets.Lock()
	defer budgets.Unlock()
	at := budgets.ledgers.At(r.core.Number()).account
	for at != nil && at != a {
		at = at.outer
	}
	if at == a || r.moves == turnovers {
		return false
	}
	r.moves++
	return true
}

// turnedOver says that others take what is freed, and have done so for long.
func (r *request) turnedOver() bool {
	a := r.press.account
	budgets.Lock()
	defer budgets.Unlock()
	return r.rounds > 1 && (a.released-r.press.start)/turnovers > a.limit
}

// begins begins a round: those who hold most come first. Where others took what was
// freed in the first one, what is needed is set aside from then on.
func (r *request) begins(s *Shortage) {
	r.round, r.gained, r.willing = r.consumers(s.account), false, false
	if r.rounds++; r.rounds > 1 {
		budgets.Lock()
		if r.press.aside = s.More; r.rounds == 2 {
			r.press.start = s.account.released
		}
		budgets.Unlock()
	}
	r.free = max(r.free, freeIn(r.core))
}

// errDeep is why nobody is asked for a request in a callback that is asked for one.
var errDeep = errors.New("it is made in a callback that is asked for another callback's request: nobody is asked for such")

// mostNested is in how many callbacks that are asked for limits of any kind a request has
// nobody asked.
const mostNested = 3

// deep is errDeep where that holds.
func (r *request) deep(a *account) error {
	budgets.Lock()
	defer budgets.Unlock()
	if r.me == crowd && r.nested || r.me.depth(a) > 1 || len(r.me.limits) >= mostNested { // of a crowd nobody knows how deep it is
		return errDeep
	}
	return nil
}

// consumers are the listeners below the account, the largest first; none where the
// request is too deep in callbacks to have others asked.
func (r *request) consumers(a *account) []consumer {
	if r.deep(a) != nil {
		return nil
	}
	budgets.Lock()
	all := slices.Clone(a.listeners.list)
	budgets.Unlock()
	list := make([]consumer, len(all))
	for i, l := range all {
		list[i] = consumer{l, l.weight()}
	}
	slices.SortStableFunc(list, func(x, y consumer) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.owner.Core.Number(), y.owner.Core.Number()))
	})
	return list
}

// freeIn is what is free in the context's own blocks, in bytes.
func freeIn(c *kind.Core) uintptr { return kinds.Methods[c.Kind()].Stats(c, false).Free }

// pass has the callbacks of a soft limit asked once, and lets the request pass.
func (r *request) pass(s *Shortage) {
	a := s.account
	if !a.postpone(s.More, true) {
		return // somebody has just had them asked
	}
	r.identify()
	for _, next := range r.consumers(a) {
		if a.missing(s) <= 0 {
			break
		}
		_, _ = r.ask(next, s) // whatever it says, the request passes
	}
	a.postpone(s.More, false)
}

// postpone has the callbacks of a passed soft limit asked later: when a 64th more is
// held than will be with this request. It says false, and does nothing, when the first
// to do so comes too late.
func (a *account) postpone(more int64, first bool) bool {
	budgets.Lock()
	defer budgets.Unlock()
	held := a.held.Load()
	if first && more <= a.heed-held {
		return false
	}
	a.heed = a.soft
	if sum := held + more; sum > a.soft {
		a.heed = sum + sum/askedPart
	}
	return true
}

// missing is how many bytes are missing below the limit of a refusal, for the request
// and for all who wait.
func (a *account) missing(s *Shortage) int64 {
	budgets.Lock()
	defer budgets.Unlock()
	if s.soft {
		return a.held.Load() + s.More - a.soft
	}
	return a.held.Load() + s.More + a.wanted - a.limit
}

// refused is the error of a request for which all was done, or that cannot wait.
func (r *request) refused(s *Shortage, why error) error {
	if r.press != nil && r.press.account == s.account {
		r.endPress(why == nil)
	}
	s.Asked, s.why = r.asked, why
	return s
}

// check panics when the context that is allocating was reset or deleted.
func (r *request) check(l *Listener) {
	if r.core.Epoch == r.epoch && r.core.Cookie == r.stamp {
		return
	}
	panic(tree.Explain(nil, r.op, 0, &tree.Gone{Name: r.path, Reason: fmt.Sprintf(
		"a callback of OnPressure reset or deleted the context that was allocating: that of context %q, registered by %s", l.name(), l.place.Line())}))
}
