package escape

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

type row struct {
	palloc.NoHeapPointers
	n    int
	name string
}

type result struct {
	name  string
	rows  []row
	words []string
	best  *row
}

type parseError struct{ text string }

func (e *parseError) Error() string { return e.text }

func textOfAnError(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(palloc.CloneString(mc, text)) // want `the returned error refers to memory of the Scope's context: copy the text with strings.Clone`
	})
}

func textOfAnErrorFromAVariable(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		s := palloc.CloneString(mc, text)
		if s == "" {
			return nil
		}
		return errors.New(s) // want `the returned error refers to memory of the Scope's context`
	})
}

func textOfABuffer(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		b := palloc.NewBuffer(mc)
		fmt.Fprintf(b, "bad %d", 1)
		return errors.New(b.String()) // want `the returned error refers to memory`
	})
}

func formattedInTheContext(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(palloc.Sprintf(mc, "bad %d", 1)) // want `the returned error refers to memory`
	})
}

func trimmed(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(strings.TrimSpace(palloc.CloneString(mc, text))) // want `the returned error refers to memory`
	})
}

func part(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(palloc.CloneString(mc, text)[3:]) // want `the returned error refers to memory`
	})
}

func cut(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		key, _, _ := strings.Cut(palloc.CloneString(mc, text), "=")
		return errors.New(key) // want `the returned error refers to memory`
	})
}

func ownErrorType(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return &parseError{palloc.CloneString(mc, text)} // want `the returned error refers to memory`
	})
}

func ownErrorTypeByField(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		e := &parseError{}
		e.text = palloc.CloneString(mc, text)
		return e // want `the returned error refers to memory`
	})
}

func wrapped(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		err := errors.New(palloc.CloneString(mc, text))
		return fmt.Errorf("line %d: %w", 1, err) // want `the returned error refers to memory`
	})
}

func wrappedOwnType(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return fmt.Errorf("parse: %w", &parseError{palloc.CloneString(mc, text)}) // want `the returned error refers to memory`
	})
}

func joined(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.Join(errors.New("first"), errors.New(palloc.CloneString(mc, text))) // want `the returned error refers to memory`
	})
}

func ofAFieldThatWasSet(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		r := palloc.New[row](mc)
		r.name = palloc.CloneString(mc, text)
		return errors.New(r.name) // want `the returned error refers to memory`
	})
}

func onOneOfTwoPaths(top palloc.Context, text string, long bool) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		message := "short"
		if long {
			message = palloc.CloneString(mc, text)
		}
		return errors.New(message) // want `the returned error refers to memory`
	})
}

func label(mc palloc.Context, n int) string { return palloc.Sprintf(mc, "row %d", n) }

func ofAHelper(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(label(mc, 1)) // want `the returned error refers to memory`
	})
}

func ofAChild(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		rows := palloc.NewBump(mc, "rows")
		return errors.New(palloc.CloneString(rows, text)) // want `the returned error refers to memory`
	})
}

func unsafeString(top palloc.Context, text []byte) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		b := palloc.Clone(mc, text)
		return errors.New(unsafe.String(&b[0], len(b))) // want `the returned error refers to memory`
	})
}

func panics(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		panic(palloc.CloneString(mc, text)) // want `the panic refers to memory of the Scope's context`
	})
}

func body(mc palloc.Context) error {
	return errors.New(palloc.CloneString(mc, "named")) // want `the returned error refers to memory`
}

func (r *result) method(mc palloc.Context) error {
	r.name = palloc.CloneString(mc, "text") // want `is stored where it lives on`
	return nil
}

func methodValue(top palloc.Context, r *result) error { return palloc.Scope(top, "s", r.method) }

func namedFunction(top palloc.Context) error { return palloc.Scope(top, "s", body) }

func storedInAResult(top palloc.Context, text string) (answer string, err error) {
	err = palloc.Scope(top, "s", func(mc palloc.Context) error {
		answer = palloc.CloneString(mc, text) // want `memory of the Scope's context is stored where it lives on: copy it with strings.Clone`
		return nil
	})
	return answer, err
}

func storedInAVariable(top palloc.Context) []int {
	var all []int
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		all = palloc.Append(mc, all, 1, 2, 3) // want `is stored where it lives on: copy it with slices.Clone`
		return nil
	})
	return all
}

func pointerInAVariable(top palloc.Context) int {
	var best *row
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		best = palloc.New[row](mc) // want `is stored where it lives on`
		return nil
	})
	return best.n
}

func bytesOfABuffer(top palloc.Context) []byte {
	var out []byte
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		b := palloc.NewBuffer(mc)
		b.WriteString("text")
		out = b.Bytes() // want `is stored where it lives on`
		return nil
	})
	return out
}

var global string

func storedInAGlobal(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		global = palloc.CloneString(mc, "text") // want `is stored where it lives on`
		return nil
	})
}

func storedInAField(top palloc.Context, to *result) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		to.name = palloc.CloneString(mc, "text")  // want `is stored where it lives on`
		to.best = palloc.New[row](mc)             // want `is stored where it lives on`
		to.rows = palloc.MakeSlice[row](mc, 1, 1) // want `is stored where it lives on`
		return nil
	})
}

func storedInALocalStruct(top palloc.Context) result {
	var r result
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		r.name = palloc.CloneString(mc, "text") // want `is stored where it lives on`
		return nil
	})
	return r
}

func (r *result) storedInTheReceiver(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		r.name = palloc.Sprintf(mc, "%d", 1) // want `is stored where it lives on`
		return nil
	})
}

func storedInAMap(top palloc.Context, all map[string]int) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		all[palloc.CloneString(mc, "key")] = 1 // want `is stored in a map that lives on`
		return nil
	})
}

func storedAsAValueInAMap(top palloc.Context) map[int]*row {
	all := map[int]*row{}
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		all[1] = palloc.New[row](mc) // want `is stored in a map that lives on`
		return nil
	})
	return all
}

func appendedToASlice(top palloc.Context, text string) (words []string) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		words = append(words, palloc.CloneString(mc, text)) // want `is stored where it lives on`
		return nil
	})
	return words
}

func appendedInALoop(top palloc.Context, lines []string, to *result) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		for _, line := range lines {
			to.words = append(to.words, palloc.CloneString(mc, line)) // want `is stored where it lives on`
		}
		return nil
	})
}

func appendedToALongerContext(top palloc.Context, text string) (rows []row) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		rows = palloc.Append(top, rows, row{name: palloc.CloneString(mc, text)}) // want `is stored in a context that lives on`
		return nil
	})
	return rows
}

func storedInAnElement(top palloc.Context, words []string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		words[0] = palloc.CloneString(mc, "text") // want `is stored where it lives on`
		return nil
	})
}

func storedByAClosure(top palloc.Context) (name string) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		set := func(text string) {
			name = palloc.CloneString(mc, text) // want `is stored where it lives on`
		}
		set("text")
		return nil
	})
	return name
}

func returnedAfterDefer(top palloc.Context, text string) string {
	mc := palloc.NewAllocSet(top, "c")
	defer mc.Delete()
	return palloc.CloneString(mc, text) // want `the result is memory of the context that is deleted on return: copy it with strings.Clone`
}

func sliceReturnedAfterDefer(top palloc.Context) []int {
	mc := palloc.NewAllocSet(top, "c")
	defer mc.Delete()
	var s []int
	for i := range 10 {
		s = palloc.Append(mc, s, i)
	}
	return s // want `the result is memory of the context that is deleted on return: copy it with slices.Clone`
}

func pointerReturnedAfterDefer(top palloc.Context) (*row, error) {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	r := palloc.New[row](mc)
	r.n = 1
	return r, nil // want `the result is memory of the context`
}

func errorAfterDefer(top palloc.Context, text string) error {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	return errors.New(palloc.CloneString(mc, text)) // want `the returned error refers to memory of the context that is deleted on return`
}

func structReturnedAfterDefer(top palloc.Context, text string) result {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	return result{name: palloc.CloneString(mc, text)} // want `the result is memory of the context`
}

func bufferReturnedAfterDefer(top palloc.Context) string {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	b := palloc.NewBuffer(mc)
	b.WriteString("text")
	return b.String() // want `the result is memory of the context`
}

func (r *result) storedAfterDefer(top palloc.Context) {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	r.name = palloc.CloneString(mc, "text") // want `memory of the context that is deleted on return is stored where it lives on`
}

func generic[T any](top palloc.Context, values []T) (out []T) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		out = palloc.Clone(mc, values) // want `is stored where it lives on`
		return nil
	})
	return out
}

func namedResultAfterDefer(top palloc.Context) (text string, err error) {
	mc := palloc.NewBump(top, "c")
	defer mc.Delete()
	text = palloc.CloneString(mc, "text")
	return text, nil // want `the result is memory of the context`
}
