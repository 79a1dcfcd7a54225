package pallocjson

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gopalloc/palloc"
)

// Values: what a document is made of.
//
// Invariant: text is valid UTF-8. An array has no names; an object has as many as values. A list
// without values is the zero Ref.
//
// Cost: Get compares names one by one in an object of up to 8 members, and by halves in others.
// Numbers are parsed when they are asked for.

// A Kind is what a Value is.
type Kind uint8

// The kinds. The zero Value is null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String returns a name such as "array".
func (k Kind) String() string {
	if names := [...]string{"null", "boolean", "number", "string", "array", "object"}; int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Value is a value of a document in a context. It does not change: any goroutine may read it, as
// long as its context is not reset or deleted. It has no Go pointers, and is passed by value.
type Value struct {
	kind  Kind
	truth bool
	text  palloc.Text
	list  palloc.Ref[list]
}

// A list is what an array or an object has.
type list struct {
	values palloc.Vec[Value]
	names  palloc.Vec[palloc.Text] // of an object
	order  palloc.Vec[uint32]      // the index: the members by name; none for few
}

// unindexed is the most members of an object without an index.
const unindexed = 8

var errMore = errors.New("another value after the document")

// Kind returns the kind.
func (v Value) Kind() Kind { return v.kind }

// Bool reports whether the value is true.
func (v Value) Bool() bool { return v.truth }

// Text returns the text of a string, and the digits of a number as the document has them; no text
// for others.
func (v Value) Text() palloc.Text { return v.text }

// Float64 returns a number. It is an error when the number is too large, or the value none.
func (v Value) Float64() (float64, error) {
	if v.kind != Number {
		return 0, fmt.Errorf("pallocjson: Float64 of a value that is no number but of kind %v", v.kind)
	}
	return strconv.ParseFloat(v.text.String(), 64)
}

// Int64 returns a number. It is an error when the number is too large or has a fraction or an
// exponent, or the value is no number.
func (v Value) Int64() (int64, error) {
	if v.kind != Number {
		return 0, fmt.Errorf("pallocjson: Int64 of a value that is no number but of kind %v", v.kind)
	}
	return strconv.ParseInt(v.text.String(), 10, 64)
}

// values returns what an array or object has.
func (v Value) values() []Value {
	if v.list.IsNil() {
		return nil
	}
	return v.list.Get().values.Slice()
}

// Len returns the number of elements of an array, or of members of an object; 0 for others.
func (v Value) Len() int { return len(v.values()) }

// Index returns an element of an array, or the value of a member of an object, in the order of the
// document. It panics when there is none.
func (v Value) Index(i int) Value { return v.values()[i] }

// Get returns the value of the member of an object that has the name.
func (v Value) Get(name string) (member Value, ok bool) {
	if v.list.IsNil() {
		return Value{}, false
	}
	l := v.list.Get() // an array's has no names
	names, order := l.names.Slice(), l.order.Slice()
	if len(order) == 0 {
		for i := range names {
			if names[i].String() == name {
				return l.values.Slice()[i], true
			}
		}
		return Value{}, false
	}
	at, ok := slices.BinarySearchFunc(order, name, func(i uint32, name string) int {
		switch has := names[i].String(); {
		case has < name:
			return -1
		case has > name:
			return 1
		}
		return 0
	})
	if !ok {
		return Value{}, false
	}
	return l.values.Slice()[order[at]], true
}

// Elements returns an iterator over the elements of an array, in order. It is empty for others.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != Array {
			return
		}
		for _, e := range v.values() {
			if !yield(e) {
				return
			}
		}
	}
}

// Members returns an iterator over the names and values of an object, in the order of the document.
// It is empty for others.
func (v Value) Members() iter.Seq2[palloc.Text, Value] {
	return func(yield func(palloc.Text, Value) bool) {
		if v.kind != Object || v.list.IsNil() {
			return
		}
		l := v.list.Get()
		names := l.names.Slice()
		for i, m := range l.values.Slice() {
			if !yield(names[i], m) {
				return
			}
		}
	}
}

// AppendJSON appends the value as JSON without spaces, by the built-in append. Numbers are as the
// document has them; text has as few escapes as may be.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(b, v.truth)
	case Number:
		return v.text.AppendTo(b)
	case String:
		return quote(b, v.text)
	case Array:
		b = append(b, '[')
		for i, e := range v.values() {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.AppendJSON(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		i := 0
		for name, m := range v.Members() {
			if i++; i > 1 {
				b = append(b, ',')
			}
			b = m.AppendJSON(append(quote(b, name), ':'))
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// quote appends text as a string.
func quote(b []byte, t palloc.Text) []byte {
	b, _ = jsontext.AppendQuote(b, t.String()) // an error is about invalid UTF-8
	return b
}

// String returns the value as JSON, on Go's heap. The text of a string is Text's.
func (v Value) String() string { return string(v.AppendJSON(nil)) }

// MarshalJSON returns the value as JSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }
