package draw

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gopalloc/palloc"
)

// Folding: siblings of the same name and kind become one box with a count, and those that hold
// least become one box for each parent.
//
// Invariant: the boxes of a tree add up to its rows. A parent comes before its children.
//
// Cost: a step for each row, and a sort of the boxes when there are too many. Nothing recurses.

// A box is one context, or several siblings with all that is the same below them.
type box struct {
	name, ident string
	kind        palloc.Kind
	count       int64 // contexts
	held, used  int64 // bytes
	blocks      int64
	parent      int // index of its box, -1 for the top
	level       int // 0 for the top
	children    []int
	rest        bool // it stands for contexts of several names
}

// add adds the contexts of another box to a box.
func (b *box) add(o *box) {
	b.count += o.count
	b.held, b.used, b.blocks = add(b.held, o.held), add(b.used, o.used), add(b.blocks, o.blocks)
}

// label returns the name of the box, with its count.
func (b *box) label() string {
	if b.rest {
		return counted(b.count, "more context")
	}
	return called(b.name, b.ident)
}

// boxes returns a tree of at most limit boxes, or of one for each row where there are no more.
func boxes(s palloc.Snapshot, limit int) []box {
	if len(s.Rows) <= limit {
		return grow(s, false)
	}
	all := grow(s, true)
	if len(all) > limit {
		all = trim(all, limit)
	}
	return all
}

// grow makes boxes of rows; if they are to be folded, one of all siblings of a name and kind.
func grow(s palloc.Snapshot, fold bool) (all []box) {
	type key struct {
		parent int
		name   string
		kind   palloc.Kind
	}
	at := make(map[int]int, len(s.Rows)) // the box of an ID
	same := map[key]int{}
	for i := range s.Rows {
		r := &s.Rows[i]
		b := box{name: r.Name, ident: r.Ident, kind: r.Kind, count: 1, held: r.Held, used: r.Used, blocks: r.Blocks, parent: -1}
		if i > 0 {
			b.parent = at[r.Parent]
			b.level = all[b.parent].level + 1
		}
		k := key{b.parent, b.name, b.kind}
		if first, found := same[k]; found && fold {
			all[first].add(&b)
			all[first].ident = ""
			at[r.ID] = first
			continue
		}
		at[r.ID], same[k] = len(all), len(all)
		if i > 0 {
			all[b.parent].children = append(all[b.parent].children, len(all))
		}
		all = append(all, b)
	}
	return all
}

// trim keeps those boxes that hold most, with what is below them, and puts a box for the rest below
// each parent that has some.
func trim(all []box, limit int) []box {
	below := make([]int64, len(all)) // held, with what is below
	order := make([]int, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		order[i] = i
		below[i] = add(below[i], all[i].held)
		if p := all[i].parent; p >= 0 {
			below[p] = add(below[p], below[i])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(below[b], below[a]) })
	shown := make([]bool, len(all))
	hidden := make([]int, len(all)) // children of a box that is shown
	for _, i := range order[:min(len(order), limit)] {
		need := 1
		if len(all[i].children) > 0 {
			need++ // for the rest of them
		}
		p := all[i].parent
		if p >= 0 && hidden[p] == 1 {
			need-- // there is no rest then
		}
		if p >= 0 && limit < need {
			break
		}
		limit -= need
		shown[i], hidden[i] = true, len(all[i].children)
		if p >= 0 {
			hidden[p]--
		}
	}
	for i := range all { // a rest of one box is that box
		if p := all[i].parent; p >= 0 && !shown[i] && shown[p] && hidden[p] == 1 && len(all[i].children) == 0 {
			shown[i] = true
		}
	}
	return keep(all, shown)
}

// keep returns the boxes that are shown, and the rests.
func keep(all []box, shown []bool) (kept []box) {
	at := make([]int, len(all))
	rests := map[int]int{} // by the kept parent
	for i, b := range all {
		if p := b.parent; p >= 0 {
			b.parent = at[p]
		}
		if shown[i] {
			at[i], b.children = len(kept), nil
			kept = append(kept, b)
			continue
		}
		if rest, found := rests[b.parent]; found {
			kept[rest].add(&b)
			at[i] = b.parent
			continue
		}
		at[i], rests[b.parent] = b.parent, len(kept)
		kept = append(kept, box{count: b.count, held: b.held, used: b.used, blocks: b.blocks, parent: b.parent, level: kept[b.parent].level + 1, rest: true})
	}
	for _, rest := range []bool{false, true} { // rests come last
		for i := range kept {
			if p := kept[i].parent; p >= 0 && kept[i].rest == rest {
				kept[p].children = append(kept[p].children, i)
			}
		}
	}
	return kept
}

// preorder returns the boxes in the order in which they are drawn: each before its children.
func preorder(all []box) (order []int) {
	stack := []int{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], reversed(all[i].children)...)
		order = append(order, i)
	}
	return order
}

// reversed returns the list from its end to its beginning.
func reversed(list []int) []int {
	back := slices.Clone(list)
	slices.Reverse(back)
	return back
}

// String returns the box in one line, as a screen reader has it.
func (b *box) String() string {
	text := b.label()
	if b.count > 1 && !b.rest {
		text += fmt.Sprintf(" (%s)", counted(b.count, "context"))
	}
	if b.kind != 0 {
		text += ", " + b.kind.String()
	}
	return fmt.Sprintf("%s: %s in %s, %s used", text, size(b.held), counted(b.blocks, "block"), size(b.used))
}
