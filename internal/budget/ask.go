package budget

import (
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/tree"
)

// How one callback is asked, and what came of it.
//
// Invariant: what a callback freed is what its account was given back while it ran, and
// what became free in the context that allocates; never what it says.
//
// Cost: that of the callback, and a look at the free memory of the context.

// Reclaim is what a callback was asked for a request, and what it did.
type Reclaim struct {
	Context, Ident string // of the callback, when it was asked first
	Calls          int
	Need           int64 // bytes that it was asked for last
	Freed          int64 // bytes
	Err            error // its last error, or what it panicked with
	From           *Listener

	vain int // see request.vain
}

// maxReclaims is how many callbacks an error tells of.
const maxReclaims = 32

// maxWait is how long a callback that runs for another goroutine is waited for.
const maxWait = 10 * time.Second

// ask has one callback asked. It says whether more became free in the context itself
// than ever before. The error ends the request.
func (r *request) ask(l consumer, s *Shortage) (freer bool, err error) {
	p := r.pressure(l, s)
	if l.owned && !r.owns(l.Listener) {
		return false, r.leave(l.Listener, p, s)
	}
	for {
		runs, busy := l.begin(r.me)
		if runs {
			return r.run(l.Listener, p, s), nil
		}
		if busy == nil || s.soft {
			return false, nil
		}
		switch err := r.await(l, busy, time.Now().Add(maxWait)); {
		case err == errCircle, !r.roomless(s):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// pressure is what a callback is asked.
func (r *request) pressure(l consumer, s *Shortage) Pressure {
	missing := s.account.missing(s)
	return Pressure{
		Need: max(missing, min(l.weight, l.weight/askedPart<<r.vain(l.Listener))), Missing: missing, Held: l.weight,
		Asker: tree.RefOf(r.core), Limit: s.account.owner, Soft: s.soft,
	}
}

// run runs a callback that has begun, and counts what came of it.
func (r *request) run(l *Listener, p Pressure, s *Shortage) (freer bool) {
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
func (r *request) came(l *Listener, p Pressure, freed int64, o outcome) {
	if i := r.note(l, p, freed, o.err); i >= 0 && freed == 0 && o.err == nil && p.Need < p.Held &&
		(o.compacted || !isAllocSet(l.owner)) {
		r.asked[i].vain++
		r.willing = true
	}
}

// name notes the path of the context, which a callback may delete.
func (r *request) name() {
	if r.path == "" {
		tree.Lock()
		r.path = tree.PathOf(r.core)
		tree.Unlock()
	}
}

// vain is how often the callback freed nothing that counts, and did not say why, though
// what it freed was compacted: it frees by the piece, no whole block was among it, and it
// is asked for twice as much.
func (r *request) vain(l *Listener) int {
	for i := range r.asked {
		if r.asked[i].From == l {
			return r.asked[i].vain
		}
	}
	return 0
}

// note notes what came of a callback, and answers its place in asked, -1 where there are
// too many.
func (r *request) note(l *Listener, p Pressure, freed int64, err error) int {
	i := 0
	for i < len(r.asked) && r.asked[i].From != l {
		i++
	}
	if i == len(r.asked) {
		if i == maxReclaims {
			return -1
		}
		path, ident := l.names()
		r.asked = append(r.asked, Reclaim{Context: path, Ident: ident, From: l})
	}
	a := &r.asked[i]
	a.Calls++
	a.Need = p.Need
	a.Freed += freed
	a.Err = err
	return i
}

// names are the path and the ident of the listener's context, if that lives.
func (l *Listener) names() (path, ident string) {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return l.owner.Node().Name(), ""
	}
	return tree.PathOf(l.owner.Core), l.owner.Node().Ident()
}

// name is the path of the listener's context, if that lives.
func (l *Listener) name() string {
	path, _ := l.names()
	return path
}

// owns says whether the request is one of the goroutine that owns the listener's
// context.
func (r *request) owns(l *Listener) bool {
	tree.Lock()
	defer tree.Unlock()
	return isBelow(r.core, l.owner.Core)
}

// isBelow says whether the core is top, or lies below it with no Shared one between. The
// tree's lock must be held.
func isBelow(c, top *kind.Core) bool {
	for s := kind.Slot[tree.Node](c); ; s = tree.At(s.Parent) {
		switch {
		case &s.Core == top:
			return true
		case s.Parent == 0 || s.Kind() == shared.ID:
			return false
		}
	}
}

// isAllocSet reports whether the context is an AllocSet, Shared or not.
func isAllocSet(mc tree.Ref) bool {
	id := kind.KindOf(mc.Epoch)
	return id == allocset.ID || id == shared.ID
}

// Place returns the line that registered the callback.
func (l *Listener) Place() string { return l.place.Line() }

// IsAllocSet reports whether the callback's context is an AllocSet: its chunks come free
// for others only when it calls Compact.
func (l *Listener) IsAllocSet() bool { return isAllocSet(l.owner) }
