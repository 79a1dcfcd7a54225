package main

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gopalloc/palloc"
)

// The document in a context, which is a Bump of the request with the limit.
//
// Invariant: the body and all nodes lie in the context.
//
// Cost: a few objects on Go's heap for each request. What is held is bounded to the byte.

type pallocNode struct {
	kind      kind
	key, text palloc.Text
	children  palloc.Vec[palloc.Ref[pallocNode]]
}

type pallocDocument struct {
	scanner
	mc     palloc.Context
	around []palloc.Ref[pallocNode] // children of the nodes that are being read
	total  float64
	buf    []byte
}

func servePalloc(out *bufio.Writer, body io.Reader, limit int64) error {
	return palloc.Scope(palloc.Top(), "request", func(mc palloc.Context) error {
		mc.SetLimit(limit)
		data := palloc.NewBuffer(mc)
		if _, err := data.ReadFrom(body); err != nil {
			return err
		}
		s, err := newScanner(data.Bytes())
		if err != nil {
			return err
		}
		d := &pallocDocument{scanner: s, mc: mc}
		root, err := d.read()
		if err != nil {
			return err
		}
		d.change(root)
		if root.kind == object {
			total := palloc.NewRef[pallocNode](mc)
			*total.Get() = pallocNode{kind: number, key: palloc.NewText(mc, "total"), text: palloc.NewText(mc, formatTotal(d.total))}
			root.children.Append(mc, total)
		}
		root.write(out)
		return nil
	}, palloc.OfKind(palloc.KindBump))
}

// read returns the whole document.
func (d *pallocDocument) read() (root *pallocNode, err error) {
	e, err := d.next()
	if err != nil {
		return nil, err
	}
	r, err := d.node(e)
	if err != nil {
		return nil, err
	}
	return r.Get(), d.finish()
}

// node returns the node that begins with an event.
func (d *pallocDocument) node(e event) (r palloc.Ref[pallocNode], err error) {
	r = palloc.NewRef[pallocNode](d.mc)
	n := r.Get()
	*n = pallocNode{kind: e.kind, key: palloc.NewText(d.mc, e.key), text: palloc.NewText(d.mc, e.text)}
	base := len(d.around)
	for n.kind.nested() {
		e, err := d.next()
		if err != nil {
			return r, err
		}
		if e.kind == end {
			break
		}
		child, err := d.node(e)
		if err != nil {
			return r, err
		}
		d.around = append(d.around, child)
	}
	n.children, d.around = palloc.VecOf(palloc.Clone(d.mc, d.around[base:])), d.around[:base]
	return r, nil
}

// change drops, adds up, turns into upper case and sorts what is below n.
func (d *pallocDocument) change(n *pallocNode) {
	switch {
	case n.kind == text:
		n.text = d.upper(n.text.String())
	case n.kind == number && n.key.String() == price:
		d.total += value(n.text.String())
	case n.kind == object:
		left := slices.DeleteFunc(n.children.Slice(), func(c palloc.Ref[pallocNode]) bool { return hidden(c.Get().key.String()) })
		n.children.Truncate(len(left))
		slices.SortStableFunc(left, func(a, b palloc.Ref[pallocNode]) int { return a.Get().key.Compare(b.Get().key) })
	}
	for _, c := range n.children.All() {
		d.change(c.Get())
	}
}

// upper returns a text in upper case, without an object on Go's heap when it is ASCII.
func (d *pallocDocument) upper(s string) palloc.Text {
	d.buf = append(d.buf[:0], s...)
	for i, c := range d.buf {
		if c >= utf8.RuneSelf {
			return palloc.NewText(d.mc, strings.ToUpper(s))
		}
		if 'a' <= c && c <= 'z' {
			d.buf[i] = c - 'a' + 'A'
		}
	}
	return palloc.NewText(d.mc, d.buf)
}

func (n *pallocNode) write(out *bufio.Writer) {
	switch n.kind {
	case object:
		out.WriteByte('{')
		for i, c := range n.children.All() {
			if i > 0 {
				out.WriteByte(',')
			}
			quote(out, c.Get().key.String())
			out.WriteByte(':')
			c.Get().write(out)
		}
		out.WriteByte('}')
	case array:
		out.WriteByte('[')
		for i, c := range n.children.All() {
			if i > 0 {
				out.WriteByte(',')
			}
			c.Get().write(out)
		}
		out.WriteByte(']')
	case text:
		quote(out, n.text.String())
	default:
		out.WriteString(n.text.String())
	}
}
