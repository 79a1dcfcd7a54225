package draw

import (
	"fmt"
	"io"
	"strings"

	"github.com/gopalloc/palloc"
)

// The picture of the tree: a box for each context, indented by its level, with what it holds.
//
// Invariant: each context is in one box. Bars have one scale, on which the longest is the box that
// holds most.
//
// Cost: some 600 bytes for a box.

// DefaultBoxes is how many boxes Tree draws unless it is told: about two screens.
const DefaultBoxes = 48

// fewestBoxes are the top and one for the rest, and one between them.
const fewestBoxes = 3

// mostIndent is the level from which lines of the description are not indented further.
const mostIndent = 40

// The measures of the tree.
const (
	rowHeight = 30 * px
	boxHeight = 23 * px
	stepRight = 22 * px // for a level, where there is space
	deepest   = 200 * px
	padding   = 20 * px // left and right of a box's text
	kindLeft  = 448 * px
	barLeft   = 548 * px
	barRight  = 742 * px
	barHeight = 11 * px
	treeTop   = 92 * px
)

// Tree writes a picture of the contexts of a snapshot. If there are more than a number of boxes,
// siblings of the same name and kind are folded into one, and then those contexts that hold least.
// 0 stands for DefaultBoxes; 1 and 2 draw 3. The error is w's, or says what contradicts itself in the
// snapshot.
func Tree(w io.Writer, s palloc.Snapshot, limit int) error {
	if err := check(s); err != nil {
		return err
	}
	if limit < 0 {
		return fmt.Errorf("draw: a tree of %d boxes", limit)
	}
	if limit == 0 {
		limit = DefaultBoxes
	}
	t := treePicture{all: boxes(s, max(limit, fewestBoxes))}
	t.picture = "tree"
	t.measure()
	t.describe(len(s.Rows))
	t.links()
	for row, i := range t.order {
		t.box(row, &t.all[i])
	}
	return t.write(w)
}

// treePicture is a picture of a tree that is being drawn.
type treePicture struct {
	canvas
	all   []box
	order []int
	row   []int // of each box, by its index
	step  unit  // to the right, for a level
	most  int64 // held by one box
}

// measure finds the place of each box.
func (t *treePicture) measure() {
	t.order = preorder(t.all)
	t.row = make([]int, len(t.all))
	depth := 1
	for row, i := range t.order {
		t.row[i] = row
		depth = max(depth, t.all[i].level)
		t.most = max(t.most, t.all[i].held)
	}
	t.step = min(stepRight, deepest/unit(depth))
	t.height = treeTop + unit(len(t.all))*rowHeight + 14*px
}

// describe writes the heading, the legend and the description.
func (t *treePicture) describe(contexts int) {
	var sum box
	lines := make([]string, len(t.order))
	for row, i := range t.order {
		sum.add(&t.all[i])
		lines[row] = strings.Repeat("  ", min(t.all[i].level, mostIndent)) + t.all[i].String()
	}
	top := visible(t.all[0].name)
	t.title = "The tree of contexts below " + top
	figures := fmt.Sprintf("%s, %s in %s", counted(int64(contexts), "context"), size(sum.held), counted(sum.blocks, "block"))
	if sum.count != int64(len(t.all)) {
		figures += "; siblings are folded"
	}
	t.detail = figures + ".\n" + strings.Join(lines, "\n")
	t.heading(top, figures)
	const y = treeTop - 12*px
	t.text("m s", kindLeft, y, "kind")
	t.rect("live", barLeft, y-9*px, 10*px, 10*px, 2*px, "")
	t.text("m s", barLeft+15*px, y, "used")
	t.rect("free", barLeft+56*px, y-9*px, 10*px, 10*px, 2*px, "")
	t.text("m s", barLeft+71*px, y, "free")
	t.text("m s e", width-margin, y, "held")
}

// left and middle return where a box begins, and the height of its middle.
func (t *treePicture) left(i int) unit { return margin + unit(t.all[i].level)*t.step }

func (t *treePicture) middle(i int) unit {
	return treeTop + unit(t.row[i])*rowHeight + boxHeight/2
}

// links draws the lines from parents to children.
func (t *treePicture) links() {
	for i := range t.all {
		children := t.all[i].children
		if len(children) == 0 {
			continue
		}
		x := t.left(i) + t.step/2
		var d strings.Builder
		fmt.Fprintf(&d, "M%s %sV%s", x, t.middle(i)+boxHeight/2, t.middle(children[len(children)-1]))
		for _, c := range children {
			fmt.Fprintf(&d, "M%s %sH%s", x, t.middle(c), t.left(c))
		}
		t.path("line", d.String())
	}
}

// box draws a box, its text and its bar.
func (t *treePicture) box(row int, b *box) {
	x, y := margin+unit(b.level)*t.step, treeTop+unit(row)*rowHeight
	number, ident := "", ""
	room := kindLeft - 24*px - x - padding
	if b.count > 1 && !b.rest {
		number = "×" + grouped(b.count)
		room -= bold(number) + 8*px
	}
	name := fitBold(b.label(), room)
	if left := room - bold(name) - 8*px; b.ident != "" && name != visible(b.ident) && left > 40*px {
		ident = fit(visible(b.ident), left, 11)
	}
	class, w := "box", padding+bold(name)
	for _, more := range []unit{bold(number), extent(ident, 11)} {
		if more > 0 {
			w += more + 8*px
		}
	}
	if b.rest {
		class = "box more"
	}
	if number != "" {
		t.rect("box", x+4*px, y+4*px, w, boxHeight, 5*px, "")
		t.rect("box", x+2*px, y+2*px, w, boxHeight, 5*px, "")
	}
	t.rect(class, x, y, w, boxHeight, 5*px, b.String())
	t.words(x+10*px, y+16*px, name, number, ident)
	if b.kind != 0 {
		t.text("m", kindLeft, y+16*px, b.kind.String())
	}
	t.bar(y, b)
}

// words writes the parts of a line behind each other, as one text, so that it is selected as one.
func (t *treePicture) words(x, y unit, name, number, ident string) {
	fmt.Fprintf(&t.body, `<text x="%s" y="%s"><tspan class="b">%s</tspan>`, x, y, escape(name))
	if number != "" {
		fmt.Fprintf(&t.body, ` <tspan class="n" dx="3">%s</tspan>`, escape(number))
	}
	if ident != "" {
		fmt.Fprintf(&t.body, ` <tspan class="m s" dx="3">%s</tspan>`, escape(ident))
	}
	t.body.WriteString("</text>\n")
}

// bar draws what a box holds.
func (t *treePicture) bar(y unit, b *box) {
	if b.held > 0 {
		w := max(share(b.held, t.most, barRight-barLeft), 2*px)
		used := share(b.used, b.held, w)
		if used > 0 {
			t.rect("live", barLeft, y+6*px, used, barHeight, 0, size(b.used)+" used")
		}
		if used < w {
			t.rect("free", barLeft+used, y+6*px, w-used, barHeight, 0, size(b.held-b.used)+" free")
		}
	}
	t.text("e", width-margin, y+16*px, size(b.held))
}
