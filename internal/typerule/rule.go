// Package typerule decides which Go types may lie off-heap, where the collector does
// not see their pointers.
package typerule

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
)

// The rule and its verdicts. A type without pointers is accepted. A type with pointers
// is refused, unless the program promises where they lead: by embedding the marker in
// the struct, or by a call of Allow for a type that it does not own.
//
// Invariant: a type that was accepted once is always accepted. A refusal was decided by
// all that was allowed at that time: see mu.
//
// Cost: for a type without pointers none; for another one that was accepted a load and a
// compare; for a type that is new to the process, one walk over it.

// A Rule decides for one marker. Set Marker before the first use. Do not copy it. Any
// goroutine.
type Rule struct {
	Marker reflect.Type // the struct that a type embeds by value to be accepted

	accepted [256]atomic.Pointer[Type] // types with pointers, by hash
	watched  atomic.Bool               // accepted stays empty
	verdicts sync.Map                  // reflect.Type -> string: "", or why it is refused

	// mu is held during the walk over a type, so that no verdict is stored that was
	// decided before an Allow.
	mu      sync.Mutex
	allowed map[reflect.Type]string // the reasons given
}

// Accepts reports whether values of the type may lie off-heap, as far as that is known
// without a walk over the type: where it returns false, Refusal decides.
func (r *Rule) Accepts(t *Type) bool {
	return t.ptrBytes == 0 || r.accepted[t.hash%uint32(len(r.accepted))].Load() == t
}

// Refusal returns why values of the type must not lie off-heap, and the code that would
// be accepted; "" where they may.
func (r *Rule) Refusal(t *Type) string {
	of := t.Reflect()
	why, known := r.verdicts.Load(of)
	if !known {
		why = r.decide(of)
	}
	if why == "" && !r.watched.Load() {
		r.accepted[t.hash%uint32(len(r.accepted))].Store(t)
	}
	return why.(string)
}

// Watch makes Accepts report false for every type with pointers, so that Refusal is asked each time.
func (r *Rule) Watch() {
	r.watched.Store(true)
	for i := range r.accepted {
		r.accepted[i].Store(nil)
	}
}

// Watched reports whether Watch was called.
func (r *Rule) Watched() bool { return r.watched.Load() }

func (r *Rule) decide(t reflect.Type) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := r.walk(t, false).refusal(r)
	r.verdicts.Store(t, why)
	return why
}

// Allow accepts the type for the given reason, and whatever it is nested in by value. A
// second call replaces the reason. It returns why that cannot be, "" where it was done:
// without a reason; for a type that is not defined or is an interface, since that would
// void the rule for the types of others; for one with maps or channels, which lie on
// Go's heap.
func (r *Rule) Allow(t reflect.Type, reason string) string {
	switch {
	case reason == "":
		return "no reason is given: say why the collector need not see the pointers"
	case !allowable(t):
		return "the type is anybody's: define a type of your own, or name the struct that it is a field of"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.walk(t, true); found != nil {
		return found.refusal(r)
	}
	if r.allowed == nil {
		r.allowed = make(map[reflect.Type]string)
	}
	r.allowed[t] = reason
	r.verdicts.Clear()
	return ""
}

// allowable reports whether Allow may be called for the type: it is defined, and no
// interface.
func allowable(t reflect.Type) bool {
	return t.PkgPath() != "" && t.Kind() != reflect.Interface && t.Kind() != reflect.UnsafePointer
}

// IsAllowed reports whether Allow accepted the type.
func (r *Rule) IsAllowed(t reflect.Type) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.allowed[t]
	return ok
}

// Allowed returns the types that Allow accepted, with the reasons.
func (r *Rule) Allowed() map[reflect.Type]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.allowed)
}
