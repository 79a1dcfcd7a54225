package draw

import (
	"fmt"
	"io"
	"strings"

	"github.com/gopalloc/palloc"
)

// The picture of one context's links: its fields, named as those of PostgreSQL's
// MemoryContextData, and the contexts to which they lead.
//
// Invariant: each link that is not nil has an arrow, from its field to the context.
//
// Cost: some 6 KiB.

// The measures of the picture: three columns, of which the middle one has the fields.
const (
	fieldHeight = 25 * px
	structLeft  = 275 * px
	structRight = 575 * px
	nearWidth   = 214 * px
	nearHeight  = 62 * px
	linksTop    = 84 * px
	nearGap     = 46 * px // above and below the struct
)

// Links writes a picture of the context with an ID in a snapshot, of its links to its parent, its first
// child and the siblings before and after it, and of these. The error is w's, or says what
// contradicts itself in the snapshot, or that it has no such ID.
//
// PostgreSQL: MemoryContextData.
func Links(w io.Writer, s palloc.Snapshot, id int) error {
	if err := check(s); err != nil {
		return err
	}
	l := linksPicture{near: find(s, id)}
	if l.self == nil {
		return fmt.Errorf("draw: the snapshot has no context with the ID %d", id)
	}
	l.picture = "links"
	if l.top = linksTop; l.parent != nil {
		l.top += nearHeight + nearGap
	}
	l.describe()
	l.fields()
	l.neighbours()
	return l.write(w)
}

// near is a context and those to which it has links, nil for none.
type near struct{ self, parent, firstChild, prev, next *palloc.Row }

// find returns the context with an ID. The rows have the children of a parent in their order.
func find(s palloc.Snapshot, id int) (n near) {
	at := map[int]*palloc.Row{}
	for i := range s.Rows {
		r := &s.Rows[i]
		if at[r.ID] = r; r.ID == id {
			n.self, n.parent = r, at[r.Parent]
		}
	}
	if n.self == nil {
		return n
	}
	passed := false
	for i := range s.Rows {
		switch r := &s.Rows[i]; {
		case r.ID == id:
			passed = true
		case r.Parent == id && n.firstChild == nil:
			n.firstChild = r
		case r.Parent != n.self.Parent || n.parent == nil:
		case !passed:
			n.prev = r
		case n.next == nil:
			n.next = r
		}
	}
	return n
}

// linksPicture is a picture of links that is being drawn.
type linksPicture struct {
	canvas
	near
	top, bottom unit // of the fields
}

// A field is a line of the struct.
type field struct {
	name, value string
	to          *palloc.Row // where it leads, if it is a link
}

// list returns the fields of the context, the links in the order of PostgreSQL's struct.
func (n *near) list() []field {
	r := n.self
	return []field{
		{"name", quoted(r.Name), nil},
		{"ident", quoted(r.Ident), nil},
		{"methods", r.Kind.String(), nil},
		{"mem_allocated", size(r.Held) + " in " + counted(r.Blocks, "block"), nil},
		{"parent", "", n.parent},
		{"firstchild", "", n.firstChild},
		{"prevchild", "", n.prev},
		{"nextchild", "", n.next},
	}
}

// quoted returns a text between quotes, as it is shown.
func quoted(text string) string { return `"` + visible(text) + `"` }

// describe writes the heading and the description.
func (l *linksPicture) describe() {
	name := called(l.self.Name, l.self.Ident)
	l.title = "The links of the context " + name
	var lines []string
	for _, f := range l.list() {
		switch {
		case f.to != nil:
			lines = append(lines, f.name+" leads to "+called(f.to.Name, f.to.Ident))
		case f.value != "":
			lines = append(lines, f.name+" is "+f.value)
		default:
			lines = append(lines, f.name+" is nil")
		}
	}
	l.detail = strings.Join(lines, "; ") + "."
	l.heading(name, "a context and its links, named as in PostgreSQL's MemoryContextData")
}

// fields draws the struct.
func (l *linksPicture) fields() {
	list := l.list()
	l.bottom = l.top + 34*px + unit(len(list))*fieldHeight + 6*px
	l.height = l.bottom + 24*px
	switch {
	case l.firstChild != nil:
		l.height += nearGap + nearHeight
	case l.next != nil: // which reaches below the fields
		l.height += 12 * px
	}
	l.rect("self", structLeft, l.top, structRight-structLeft, l.bottom-l.top, 6*px, "")
	l.text("b c", (structLeft+structRight)/2, l.top+22*px, fitBold(called(l.self.Name, l.self.Ident), structRight-structLeft-20*px))
	l.path("line", fmt.Sprintf("M%s %sH%s", structLeft, l.top+34*px, structRight))
	for i, f := range list {
		y := l.y(i) + 4*px + 50
		l.text("m", structLeft+14*px, y, f.name)
		value := f.value
		switch {
		case value == "" && f.to == nil:
			l.text("m e", structRight-14*px, y, "nil")
			continue
		case value == "":
			value = called(f.to.Name, f.to.Ident)
		}
		l.text("e", structRight-14*px, y, fit(value, 165*px, 13))
	}
}

// y returns the height of the middle of a field.
func (l *linksPicture) y(field int) unit {
	return l.top + 34*px + 3*px + unit(field)*fieldHeight + fieldHeight/2
}

// neighbours draws the contexts to which the links lead, and the arrows.
func (l *linksPicture) neighbours() {
	center, side := (structLeft+structRight-nearWidth)/2, l.y(6)-nearHeight/2
	const parent, firstChild, prev, next = 4, 5, 6, 7 // fields
	if l.parent != nil {
		l.context(center, linksTop, "parent", l.parent)
		x := structRight + 19*px
		l.arrow(fmt.Sprintf("M%s %sH%sV%sH%s", structRight, l.y(parent), x, linksTop+nearHeight/2, center+nearWidth+8*px), center+nearWidth, linksTop+nearHeight/2, left)
	}
	if l.firstChild != nil {
		top := l.bottom + nearGap
		l.context(center, top, "first child", l.firstChild)
		x := structLeft - 19*px
		hop := ""
		if l.prev != nil { // its arrow is crossed
			hop = fmt.Sprintf("V%sa5 5 0 0 0 0 10", l.y(prev)-5*px)
		}
		l.arrow(fmt.Sprintf("M%s %sH%s%sV%sH%s", structLeft, l.y(firstChild), x, hop, top+nearHeight/2, center-8*px), center, top+nearHeight/2, right)
	}
	if l.prev != nil {
		l.context(margin, side, "previous sibling", l.prev)
		l.arrow(fmt.Sprintf("M%s %sH%s", structLeft, l.y(prev), margin+nearWidth+8*px), margin+nearWidth, l.y(prev), left)
	}
	if l.next != nil {
		x := width - margin - nearWidth
		l.context(x, side+fieldHeight, "next sibling", l.next)
		l.arrow(fmt.Sprintf("M%s %sH%s", structRight, l.y(next), x-8*px), x, l.y(next), right)
	}
}

// context draws a context to which a link leads.
func (l *linksPicture) context(x, y unit, role string, r *palloc.Row) {
	l.rect("box", x, y, nearWidth, nearHeight, 6*px, r.String())
	l.text("m s", x+12*px, y+17*px, role)
	l.text("b", x+12*px, y+34*px, fitBold(called(r.Name, r.Ident), nearWidth-24*px))
	l.text("m s", x+12*px, y+51*px, fit(r.Kind.String()+", "+size(r.Held), nearWidth-24*px, 11))
}

// The directions of arrows.
const (
	left  = 1
	right = -1
)

// arrow draws a line with a head at its end, at a point.
func (l *linksPicture) arrow(d string, x, y unit, direction unit) {
	l.path("arrow", d)
	l.path("head0", fmt.Sprintf("M%s %sl%s -4.5v9z", x, y, direction*9*px))
}
