package palloc

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/gopalloc/palloc/internal/typerule"
)

// The pointer rule: the collector does not scan contexts, so a Go pointer there keeps
// nothing alive. A type with pointers is refused unless the program promises where they
// lead: by NoHeapPointers, or by AllowPointers for a type of another package.
//
// Invariant: a type that was accepted once is always accepted.
//
// Cost: none for a type without pointers; a load and a compare for one with pointers; one
// walk over a type that is new to the process.

// NoHeapPointers marks a struct type whose Go pointers (pointers, slices, strings, funcs,
// interfaces) only ever lead to memory of contexts that live at least as long, or to static
// data: constants, top-level functions. The program promises that: palloc does not check
// what is stored, and a string on Go's heap is freed although a context points to it. Embed
// it by value as the first field, where it takes no space. The promise covers every field,
// also those of structs inside. Maps and channels are always on Go's heap and stay refused.
// For a type of another package use AllowPointers.
//
//	type node struct {
//		palloc.NoHeapPointers
//		left, right *node
//	}
//
// A pointer, slice or string is no struct and cannot embed it: MakeSlice[*node] is refused.
// MakePointers and MakeStrings make lists of them, with the same promise.
//
// PostgreSQL has none: C has no collector.
type NoHeapPointers struct{}

// rule decides which types may lie in contexts.
var rule = typerule.Rule{Marker: reflect.TypeFor[NoHeapPointers]()}

// An Allowance is a type that contexts accept although it has Go pointers.
type Allowance struct {
	Type   string // as reflect prints it
	Reason string // why that is sound
}

// AllowPointers makes contexts accept T, and types that contain T by value, although T has
// Go pointers and does not embed NoHeapPointers. It is for types of other packages. The
// caller promises, with a reason, for each value of T in a context: all its pointers lead
// to memory of contexts that live at least as long, to static data, or to what the program
// keeps alive by other means.
//
// It holds for the whole process and cannot be undone. It must return before T is first
// used: call it in the declaration of a package-level variable:
//
//	var _ = palloc.AllowPointers[time.Time]("only UTC and Local, which are static")
//
// An empty reason is a Fault, as is a T that is not a defined type or is an interface,
// since that would accept types of others; and a T with maps or channels, which are always
// on Go's heap. A second call changes the reason. Any goroutine.
func AllowPointers[T any](reason string) Allowance { return allow(reflect.TypeFor[T](), reason) }

func allow(t reflect.Type, reason string) Allowance {
	if why := rule.Allow(t, reason); why != "" {
		panic(raise(&Fault{Op: fmt.Sprintf("AllowPointers[%v]", t), Reason: why}))
	}
	return Allowance{t.String(), reason}
}

// Allowances returns the types that AllowPointers accepted, sorted by name: where to look
// when a pointer in a context leads to freed memory. Any goroutine.
func Allowances() (all []Allowance) {
	for t, reason := range rule.Allowed() {
		all = append(all, Allowance{t.String(), reason})
	}
	slices.SortFunc(all, func(a, b Allowance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// mustAccept panics unless contexts accept values of the type. It is separate so that the
// compare before it can be inlined. op is the function that was called.
func mustAccept(op string, t *typerule.Type) {
	if why := rule.Refusal(t); why != "" {
		panic(raise(&Fault{Op: fmt.Sprintf("%s[%v]", op, t.Reflect()), Reason: why}))
	}
}
