package palloc

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Types with pointers that a program vouches for: those that it does not own, and so
// cannot make embed Linked.
//
// Invariant: a verdict about a type was made by all that was vouched for at that
// time, or the type passed: see looking.
//
// Cost: none where memory is sold; the first use of a type looks here for each type
// that is nested in it.

// Allowance is a type that may lie in contexts although it has Go pointers.
//
// PostgreSQL has none.
type Allowance struct {
	Type   string // as reflect prints it
	Reason string // why that is sound
}

// AllowPointers lets values of type T lie in contexts, and whatever T is nested in by
// value, although T has Go pointers and does not embed Linked. It is for types that
// one does not own. Whoever calls it vouches, with a reason, for each value of T that
// will lie in a context: all its pointers lead to memory of contexts that live at
// least as long, to static data, or to what the program keeps alive by other means.
//
// It holds for the whole process and cannot be taken back. It must have returned
// before T is first used; a package-level variable is the place:
//
//	var _ = palloc.AllowPointers[time.Time]("only UTC and Local, which are static")
//
// It is a Fault to give no reason, or a T that is not a defined type or is an
// interface, since that would void the rule for the types of others, or a T with
// maps or channels, which always lie on Go's heap. A second call changes the reason.
// Any goroutine.
//
// PostgreSQL has none.
func AllowPointers[T any](reason string) Allowance { return vouch(reflect.TypeFor[T](), reason) }

// Allowances are all types that AllowPointers let in, by name: what to look at when
// memory was freed that a context's content still led to. Any goroutine.
//
// PostgreSQL has none.
func Allowances() []Allowance {
	looking.Lock()
	defer looking.Unlock()
	return slices.SortedFunc(maps.Values(looking.vouched), func(a, b Allowance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Reason, b.Reason))
	})
}

func vouch(t reflect.Type, reason string) Allowance {
	looking.Lock()
	defer looking.Unlock()
	if why := unfit(t, reason); why != "" {
		panic(&Fault{Op: fmt.Sprintf("AllowPointers[%v]", t), Reason: why})
	}
	if looking.vouched == nil {
		looking.vouched = make(map[reflect.Type]Allowance)
	}
	a := Allowance{t.String(), reason}
	looking.vouched[t] = a
	refusals.Clear()
	return a
}

// unfit is why nobody can vouch for a type, or "". The caller holds looking.
func unfit(t reflect.Type, reason string) string {
	switch {
	case reason == "":
		return "no reason is given: say why the collector need not see the pointers"
	case t.PkgPath() == "" || t.Kind() == reflect.Interface || t.Kind() == reflect.UnsafePointer:
		return "the type is anybody's: define a type of your own, or name the struct that it is a field of"
	}
	return refusal(t, t.String(), true)
}
