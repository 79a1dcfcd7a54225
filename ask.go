package palloc

import (
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// How one callback is asked, and what came of it.
//
// Invariant: what a callback gave back is what its account was given back while it ran,
// and what became free in the context that allocates; never what it says.
//
// Cost: that of the callback, and a look at the free memory of the context.

// Reclaim is what a callback of OnPressure was asked for an allocation that was then
// refused, and what it did.
//
// PostgreSQL has none.
type Reclaim struct {
	Context string // path of the callback's context
	Ident   string // its ident
	Place   string // the line that registered the callback
	Calls   int    // how often it was asked
	Need    int64  // bytes that it was asked for the last time
	Freed   int64  // bytes that came free while it ran: below the limit, or in the context that asked
	Err     error  // its last error, or what it panicked with; nil none

	of   *listener
	vain int // see vain
}

// mostReclaims is how many callbacks an error tells of.
const mostReclaims = 32

// mostWait is how long a callback that runs for another goroutine is waited for.
const mostWait = 10 * time.Second

// ask has one callback asked. It says whether more became free in the context itself
// than ever before. The error ends the request.
func (r *request) ask(l consumer, s *shortage) (freer bool, err error) {
	p := r.pressure(l, s)
	if l.owned && !r.owns(l.listener) {
		return false, r.leave(l.listener, p, s)
	}
	for {
		runs, busy := l.begin(r.me)
		if runs {
			return r.run(l.listener, p, s), nil
		}
		if busy == nil || s.soft {
			return false, nil
		}
		switch err := r.await(l, busy, time.Now().Add(mostWait)); {
		case err == errCircle, !r.roomless(s):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// pressure is what a callback is asked.
func (r *request) pressure(l consumer, s *shortage) Pressure {
	missing := s.account.missing(s)
	return Pressure{
		Need: max(missing, min(l.weight, l.weight/askedPart<<r.vain(l.listener))), Missing: missing, Held: l.weight,
		Asker: handle(r.core), Limit: s.account.owner, Soft: s.soft,
	}
}

// run runs a callback that has begun, and counts what came of it.
func (r *request) run(l *listener, p Pressure, s *shortage) (freer bool) {
	r.name()
	free, released := freeIn(r.core), s.account.releases()
	o := l.run(r.me, p)
	r.check(l)
	now := freeIn(r.core)
	freed := s.account.releases() - released + max(0, int64(now)-int64(free))
	freer = now > max(free, r.free)
	r.free = max(r.free, now)
	r.gained = r.gained || s.account.releases() > released || freer
	r.came(l, p, freed, o)
	return freer
}

// came notes what came of a callback, and whether it is worth asking again: see vain.
func (r *request) came(l *listener, p Pressure, freed int64, o outcome) {
	if i := r.note(l, p, freed, o.err); i >= 0 && freed == 0 && o.err == nil && p.Need < p.Held &&
		(o.compacted || !kinds.Traits(kind.KindOf(l.owner.epoch)).Joins) {
		r.asked[i].vain++
		r.willing = true
	}
}

// name notes the path of the context, which a callback may delete.
func (r *request) name() {
	if r.path == "" {
		tree.Lock()
		r.path = pathOf(r.core)
		tree.Unlock()
	}
}

// vain is how often the callback freed nothing that counts, and did not say why, though
// what it freed was compacted: it frees by the piece, no whole block was among it, and it
// is asked for twice as much.
func (r *request) vain(l *listener) int {
	for i := range r.asked {
		if r.asked[i].of == l {
			return r.asked[i].vain
		}
	}
	return 0
}

// note notes what came of a callback, and answers its place in asked, -1 where there are
// too many.
func (r *request) note(l *listener, p Pressure, freed int64, err error) int {
	i := 0
	for i < len(r.asked) && r.asked[i].of != l {
		i++
	}
	if i == len(r.asked) {
		if i == mostReclaims {
			return -1
		}
		path, ident := l.names()
		r.asked = append(r.asked, Reclaim{Context: path, Ident: ident, of: l})
	}
	a := &r.asked[i]
	a.Calls++
	a.Need = p.Need
	a.Freed += freed
	a.Err = err
	return i
}

// names are the path and the ident of the listener's context, if that lives.
func (l *listener) names() (path, ident string) {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return l.owner.slot().nameText(), ""
	}
	return pathOf(l.owner.core), l.owner.slot().ident()
}

// name is the path of the listener's context, if that lives.
func (l *listener) name() string {
	path, _ := l.names()
	return path
}

// owns says whether the request is one of the goroutine that owns the listener's
// context.
func (r *request) owns(l *listener) bool {
	tree.Lock()
	defer tree.Unlock()
	return isBelow(r.core, l.owner.core)
}

// isBelow says whether the core is top, or lies below it with no Shared one between. The
// tree's lock must be held.
func isBelow(c, top *kind.Core) bool {
	for s := kind.Slot[core](c); ; s = coreAt(s.parent) {
		switch {
		case &s.Core == top:
			return true
		case s.parent == 0 || s.Kind().IsConcurrent():
			return false
		}
	}
}
