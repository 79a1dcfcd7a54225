// Package pallocjson reads JSON into a tree in a context.
//
//	v, err := pallocjson.Parse(mc, r.Body)
//	if name, ok := v.Get("name"); ok {
//		fmt.Println(name.Text())
//	}
//
// The tokenizer is github.com/go-json-experiment/json/jsontext, the Go team's, which needs nothing
// else. With a Go whose own library has encoding/json/jsontext it is that.
//
// Ownership: the tree lies in the context, and ends with it. A Value has no Go pointers: it may be
// stored in contexts.
//
// Limits: a limit of the context bounds the tree, and what Parse reads; a refusal is an
// *palloc.OutOfMemoryError. At most 10000 arrays and objects are around a value. What is read is
// RFC 8259 in UTF-8, and as with encoding/json/v2 a name may be in an object once, and text has no
// lone surrogates.
//
// Cost: with 64 bits a Value takes 32 bytes, an array or object 72 more, a name 16, and text and
// the digits of numbers their bytes, beside palloc's own for a chunk; an object of more than 8
// members has an index of 4 bytes for each. What reading takes meanwhile is in a context below,
// which is deleted. Neither a value nor a document makes an object on Go's heap, once the
// tokenizers are there. Of a document of 500 orders encoding/json makes 18,509 in an any, and took
// 1.7 times as long, the fastest of five runs of each:
//
//	go test -run '^$' -bench Parse -count 5 ./adapters/pallocjson
package pallocjson

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gopalloc/palloc"
)

// Parsing: a loop over tokens, with a stack of what is open.
//
// Invariant: values and names have what is in the open arrays and objects, the innermost last. An
// object lacks a value while it has one more name.
//
// Cost: each value is copied once from the stack, and text once from the input.

// Parse reads a document into the context, all of r. The bytes are in the context while it reads.
// It returns r's error, a *jsontext.SyntacticError with the position, or an
// *palloc.OutOfMemoryError; what was read until then stays in the context. A Slab will not do.
// Owner only.
func Parse(mc palloc.Context, r io.Reader) (v Value, err error) {
	err = palloc.Scope(mc, "pallocjson", func(tmp palloc.Context) error {
		data := palloc.NewBuffer(tmp)
		if _, err := data.ReadFrom(r); err != nil {
			return err
		}
		v, err = parse(mc, tmp, data.Bytes())
		return err
	})
	return v, err
}

// ParseBytes works as Parse does, for bytes, to which the tree does not refer. Owner only.
func ParseBytes(mc palloc.Context, data []byte) (v Value, err error) {
	err = palloc.Scope(mc, "pallocjson", func(tmp palloc.Context) error {
		v, err = parse(mc, tmp, data)
		return err
	})
	return v, err
}

// A decoder is a tokenizer for bytes in memory.
type decoder struct {
	*jsontext.Decoder
	input bytes.Buffer
}

// Duplicate names are found here: the tokenizer would keep names on Go's heap.
var options = jsontext.AllowDuplicateNames(true)

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.Decoder = jsontext.NewDecoder(&d.input, options)
	return d
}}

// release keeps a decoder for another document, without the bytes of this one.
func (d *decoder) release(size int) {
	const most = 1 << 20 // of a document, whose decoder may have grown
	if size <= most {
		d.input = bytes.Buffer{}
		d.Reset(&d.input, options)
		decoders.Put(d)
	}
}

// A parser reads a document.
type parser struct {
	*decoder
	mc, tmp palloc.Context // of the tree, and of the parser
	open    []level
	values  []Value
	names   []palloc.Text
	scratch []byte
}

// A level is an array or object that is open.
type level struct {
	kind          Kind
	values, names int // how many there were before it
}

// parse reads a document. What it needs meanwhile is in tmp.
func parse(mc, tmp palloc.Context, data []byte) (Value, error) {
	d := decoders.Get().(*decoder)
	defer d.release(len(data))
	d.input = *bytes.NewBuffer(data)
	d.Reset(&d.input, options)
	p := parser{decoder: d, mc: mc, tmp: tmp}
	v, err := p.document()
	switch {
	case err == io.EOF: // there is nothing
		err = &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: io.ErrUnexpectedEOF}
	case err == nil:
		if _, err = d.ReadToken(); err == io.EOF {
			return v, nil
		} else if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: errMore}
		}
	}
	return Value{}, err
}

// document returns the value that the document begins with.
func (p *parser) document() (Value, error) {
	for {
		v, whole, err := p.step()
		if err != nil {
			return v, err
		}
		if whole && len(p.open) == 0 {
			return v, nil
		}
		if whole {
			p.values = palloc.Append(p.tmp, p.values, v)
		}
	}
}

// step reads a token, and returns the value that it completes.
func (p *parser) step() (v Value, whole bool, err error) {
	switch p.PeekKind() {
	case jsontext.KindString:
		t, err := p.text()
		if err == nil && p.needsName() {
			p.names = palloc.Append(p.tmp, p.names, t)
			return v, false, nil
		}
		return Value{kind: String, text: t}, true, err
	case jsontext.KindNumber:
		raw, err := p.ReadValue()
		if err != nil {
			return v, false, err
		}
		return Value{kind: Number, text: palloc.NewText(p.mc, raw)}, true, nil
	}
	token, err := p.ReadToken()
	if err != nil {
		return v, false, err
	}
	switch token.Kind() {
	case jsontext.KindBeginArray:
		p.begin(Array)
		return v, false, nil
	case jsontext.KindBeginObject:
		p.begin(Object)
		return v, false, nil
	case jsontext.KindEndArray, jsontext.KindEndObject:
		v, err = p.end()
		return v, true, err
	case jsontext.KindTrue:
		v = Value{kind: Bool, truth: true}
	case jsontext.KindFalse:
		v = Value{kind: Bool}
	}
	return v, true, nil
}

// text returns the text of the next token, which is a string, in the tree's context.
func (p *parser) text() (t palloc.Text, err error) {
	raw, err := p.ReadValue()
	if err != nil {
		return t, err
	}
	if inside := raw[1 : len(raw)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return palloc.NewText(p.mc, []byte(inside)), nil
	}
	p.scratch = palloc.Grow(p.tmp, p.scratch[:0], len(raw)) // text is never longer than its token
	if p.scratch, err = jsontext.AppendUnquote(p.scratch, []byte(raw)); err != nil {
		return t, err
	}
	return palloc.NewText(p.mc, p.scratch), nil
}

// needsName reports whether the next string is a name, other than the one that was just read.
func (p *parser) needsName() bool {
	if len(p.open) == 0 {
		return false
	}
	in := p.open[len(p.open)-1]
	return in.kind == Object && len(p.names)-in.names == len(p.values)-in.values
}

func (p *parser) begin(k Kind) {
	p.open = palloc.Append(p.tmp, p.open, level{k, len(p.values), len(p.names)})
}

// end returns the array or object that ends.
func (p *parser) end() (Value, error) {
	in := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	v := Value{kind: in.kind}
	if len(p.values) > in.values {
		v.list = palloc.NewRef[list](p.mc)
		l := v.list.Get()
		l.values = palloc.VecOf(palloc.Clone(p.mc, p.values[in.values:]))
		l.names = palloc.VecOf(palloc.Clone(p.mc, p.names[in.names:]))
		if name, twice := l.index(p.mc); twice {
			return v, &jsontext.SyntacticError{
				ByteOffset:  p.InputOffset(),
				JSONPointer: p.StackPointer().AppendToken(name.String()),
				Err:         jsontext.ErrDuplicateName,
			}
		}
	}
	p.values, p.names = p.values[:in.values], p.names[:in.names]
	return v, nil
}

// index makes the index of an object that has many names, and returns a name that it has twice.
func (l *list) index(mc palloc.Context) (name palloc.Text, twice bool) {
	names := l.names.Slice()
	if len(names) <= unindexed {
		for i, name := range names {
			if slices.ContainsFunc(names[:i], name.Equal) {
				return name, true
			}
		}
		return name, false
	}
	order := palloc.MakeSlice[uint32](mc, len(names), len(names))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return names[a].Compare(names[b]) })
	for i, at := range order[1:] {
		if names[at].Equal(names[order[i]]) {
			return names[at], true
		}
	}
	l.order = palloc.VecOf(order)
	return name, false
}
