package main

import (
	"bufio"
	"io"
	"slices"
	"strings"
)

// The document on Go's heap.
//
// Invariant: used is what the body and the nodes take, about, and at most the limit.
//
// Cost: an object for each node, each text, and each list of children, with those that the list grew from.

type goNode struct {
	kind      kind
	key, text string
	children  []*goNode
}

type goDocument struct {
	scanner
	around      []*goNode // children of the nodes that are being read
	total       float64
	used, limit int64
}

// perNode is about what a node takes beside key and text.
const perNode = 100

func serveGo(out *bufio.Writer, body io.Reader, limit int64) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	s, err := newScanner(data)
	if err != nil {
		return err
	}
	d := &goDocument{scanner: s, used: int64(len(data)), limit: limit}
	root, err := d.read()
	if err != nil {
		return err
	}
	d.change(root)
	if root.kind == object {
		root.children = append(root.children, &goNode{kind: number, key: "total", text: formatTotal(d.total)})
	}
	root.write(out)
	return nil
}

// read returns the whole document.
func (d *goDocument) read() (root *goNode, err error) {
	e, err := d.next()
	if err != nil {
		return nil, err
	}
	if root, err = d.node(e); err != nil {
		return nil, err
	}
	return root, d.finish()
}

// node returns the node that begins with an event.
func (d *goDocument) node(e event) (n *goNode, err error) {
	n = &goNode{kind: e.kind, key: string(e.key), text: string(e.text)}
	d.used += perNode + int64(len(n.key)+len(n.text))
	if d.used > d.limit {
		return n, errTooLarge
	}
	base := len(d.around)
	for n.kind.nested() {
		e, err := d.next()
		if err != nil {
			return nil, err
		}
		if e.kind == end {
			break
		}
		child, err := d.node(e)
		if err != nil {
			return nil, err
		}
		d.around = append(d.around, child)
	}
	n.children, d.around = slices.Clone(d.around[base:]), d.around[:base]
	return n, nil
}

// change drops, adds up, turns into upper case and sorts what is below n.
func (d *goDocument) change(n *goNode) {
	switch {
	case n.kind == text:
		n.text = strings.ToUpper(n.text)
	case n.kind == number && n.key == price:
		d.total += value(n.text)
	case n.kind == object:
		n.children = slices.DeleteFunc(n.children, func(c *goNode) bool { return hidden(c.key) })
		slices.SortStableFunc(n.children, func(a, b *goNode) int { return strings.Compare(a.key, b.key) })
	}
	for _, c := range n.children {
		d.change(c)
	}
}

func (n *goNode) write(out *bufio.Writer) {
	switch n.kind {
	case object:
		out.WriteByte('{')
		for i, c := range n.children {
			if i > 0 {
				out.WriteByte(',')
			}
			quote(out, c.key)
			out.WriteByte(':')
			c.write(out)
		}
		out.WriteByte('}')
	case array:
		out.WriteByte('[')
		for i, c := range n.children {
			if i > 0 {
				out.WriteByte(',')
			}
			c.write(out)
		}
		out.WriteByte(']')
	case text:
		quote(out, n.text)
	default:
		out.WriteString(n.text)
	}
}
