package draw

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gopalloc/palloc"
)

// The picture of the blocks: a strip for each block, cut into lines as text is, with what lies in it
// from the first byte to the last.
//
// Invariant: all strips have one scale, but for those of large chunks, which have one line each.
// Parts that are too narrow to be seen are drawn together, as what most of their bytes are, with the
// number of these; the legend counts each.
//
// Cost: a step for each part, and some 120 bytes for each that is drawn.

// The measures of the strips.
const (
	stripLeft   = 104 * px
	stripWidth  = width - margin - stripLeft
	lineHeight  = 22 * px
	lineStep    = 25 * px
	blockGap    = 10 * px
	legendTop   = 75 * px
	stripsGap   = 37 * px
	narrowest   = 300 // in units: narrower parts are drawn together
	mostLines   = 32  // of all strips
	fewestBytes = 512 // in a line
)

// uses are the uses of parts in the order of the legend, with what it says of them.
var uses = []struct {
	use  palloc.PartUse
	name string
}{
	{palloc.PartLive, "live"}, {palloc.PartFreed, "freed"}, {palloc.PartJoined, "freed and joined"},
	{palloc.PartUnused, "unused"}, {palloc.PartLost, "too small"}, {palloc.PartUnread, "overwritten"}, {palloc.PartHead, "heads of blocks"},
}

// Blocks writes a picture of a context's blocks: the chunks that are live, those that were freed and
// wait for a request, and what was never used. Blocks beyond the first 32 are summed up. The error is
// w's, or says what contradicts itself in the layout.
func Blocks(w io.Writer, l palloc.Layout) error {
	b := blocksPicture{l: l, count: map[palloc.PartUse]int64{}, bytes: map[palloc.PartUse]int64{}, freed: map[int64]int64{}}
	if err := b.read(); err != nil {
		return err
	}
	b.picture = "blocks"
	shown := l.Blocks[:min(len(l.Blocks), mostLines)]
	b.scale = scale(shown)
	b.describe()
	y := b.legend() + stripsGap
	for i := range shown {
		y = b.strip(y, &shown[i])
	}
	b.foot(y, l.Blocks[len(shown):])
	return b.write(w)
}

// blocksPicture is a picture of blocks that is being drawn.
type blocksPicture struct {
	canvas
	l            palloc.Layout
	scale        int64 // bytes of a line
	total        int64
	count, bytes map[palloc.PartUse]int64
	freed        map[int64]int64 // number of freed chunks, by size
}

// read counts what there is, and returns an error if it contradicts itself.
func (b *blocksPicture) read() error {
	for i, k := range b.l.Blocks {
		if k.Size <= 0 || k.Size > most {
			return fmt.Errorf("draw: block %d has a size of %d", i, k.Size)
		}
		left := k.Size
		for j, p := range k.Parts {
			if !known(p.Use) {
				return fmt.Errorf("draw: part %d of block %d is %q, which is no use of a part", j, i, p.Use)
			}
			if p.Size <= 0 || p.Size > left {
				return fmt.Errorf("draw: part %d of block %d has %d bytes, of %d left", j, i, p.Size, left)
			}
			left -= p.Size
			b.count[p.Use]++
			b.bytes[p.Use] = add(b.bytes[p.Use], p.Size)
			if p.Use == palloc.PartFreed {
				b.freed[p.Size]++
			}
		}
		if left != 0 {
			return fmt.Errorf("draw: the parts of block %d leave %d bytes of it", i, left)
		}
		b.total = add(b.total, k.Size)
	}
	return nil
}

// known reports whether a use is one.
func known(use palloc.PartUse) bool {
	for _, u := range uses {
		if u.use == use {
			return true
		}
	}
	return false
}

// scale returns how many bytes a line has, so that there are not too many: as many as the largest
// block that chunks share, or a power of two.
func scale(list []palloc.Block) int64 {
	largest := int64(fewestBytes)
	for i := range list {
		if !list[i].Large {
			largest = max(largest, list[i].Size)
		}
	}
	for bytes := int64(fewestBytes); bytes < largest; bytes *= 2 {
		n := int64(0)
		for i := range list {
			n = add(n, lines(&list[i], bytes))
		}
		if n <= mostLines {
			return bytes
		}
	}
	return largest
}

// lines returns how many lines a block takes.
func lines(b *palloc.Block, bytes int64) int64 {
	if b.Large {
		return 1
	}
	return (b.Size + bytes - 1) / bytes
}

// describe writes the heading, the legend and the description.
func (b *blocksPicture) describe() {
	path := visible(b.l.Path)
	b.title = "The blocks of the context " + path
	figures := fmt.Sprintf("%s, %s in %s; a line is %s", b.l.Kind, size(b.total), counted(int64(len(b.l.Blocks)), "block"), size(b.scale))
	if slices.ContainsFunc(b.l.Blocks, func(k palloc.Block) bool { return k.Large && k.Size > b.scale }) {
		figures += ", or one large chunk"
	}
	b.heading(path[strings.LastIndex(path, "/")+1:], figures)
	b.detail = figures + "."
}

// legend writes what the colors stand for, with the figures of each, and returns where its last line
// is.
func (b *blocksPicture) legend() (y unit) {
	x, y := margin, legendTop
	for _, u := range uses {
		if b.count[u.use] == 0 {
			continue
		}
		text := fmt.Sprintf("%s %s, %s", grouped(b.count[u.use]), u.name, size(b.bytes[u.use]))
		b.detail += "\n" + text + "."
		w := 16*px + extent(text, 11)
		if x+w > width-margin {
			x, y = margin, y+18*px
		}
		b.rect(string(u.use), x, y, 11*px, 11*px, 2*px, "")
		b.text("s", x+16*px, y+9*px+50, text)
		x += w + 8*px
	}
	return y
}

// strip draws a block, and returns where the next one begins.
func (b *blocksPicture) strip(y unit, k *palloc.Block) unit {
	b.text("m e", stripLeft-12*px, y+15*px, size(k.Size))
	n := lines(k, b.scale)
	bytes := b.scale
	if k.Large && k.Size > bytes {
		bytes = k.Size
	}
	d := run{blocksPicture: b, y: y, bytes: bytes}
	for _, p := range k.Parts {
		d.part(p)
	}
	d.flush()
	return y + unit(n)*lineStep + blockGap
}

// run is the drawing of a block: where it is, and parts that are too narrow to be drawn alone.
type run struct {
	*blocksPicture
	y      unit
	bytes  int64 // of a line
	at     int64 // from the beginning of the block
	begin  int64 // of the narrow parts
	narrow map[palloc.PartUse]tally
}

// tally counts narrow parts.
type tally struct{ parts, bytes int64 }

// part draws a part, in one line or more.
func (d *run) part(p palloc.Part) {
	text, left := size(p.Size), p.Size
	if p.Size < 1<<10 {
		text = fmt.Sprint(p.Size)
	}
	for left > 0 {
		n := min(left, d.bytes-d.at%d.bytes)
		if share(n, d.bytes, stripWidth) < narrowest {
			d.gather(p.Use, n)
		} else {
			d.flush()
			s := segment{d.at, n, p.Use, left < p.Size, n < left}
			if d.draw(s, text, fmt.Sprintf("%s, %s", p.Use, counted(p.Size, "byte"))) {
				text = ""
			}
			d.at += n
		}
		left -= n
	}
}

// gather adds a narrow part to those before it. These are drawn when they are wide enough and the part
// is of another use, or the line ends.
func (d *run) gather(u palloc.PartUse, n int64) {
	if d.narrow != nil && d.mostly() != u && share(d.at-d.begin, d.bytes, stripWidth) >= narrowest {
		d.flush()
	}
	if d.narrow == nil {
		d.narrow, d.begin = map[palloc.PartUse]tally{}, d.at
	}
	t := d.narrow[u]
	d.narrow[u] = tally{t.parts + 1, t.bytes + n}
	if d.at += n; d.at%d.bytes == 0 {
		d.flush()
	}
}

// mostly returns what most bytes of the narrow parts are.
func (d *run) mostly() (use palloc.PartUse) {
	bytes := int64(0)
	for _, u := range uses {
		if n := d.narrow[u.use].bytes; n > bytes {
			use, bytes = u.use, n
		}
	}
	return use
}

// flush draws the narrow parts as what most of them are.
func (d *run) flush() {
	if d.narrow == nil {
		return
	}
	use := d.mostly()
	text := fmt.Sprintf("%s %s", grouped(d.narrow[use].parts), use)
	d.draw(segment{at: d.begin, size: d.at - d.begin, use: use}, text, text)
	d.narrow = nil
}

// segment is what a line has of a part. Where the part comes from the line before, or goes on in the
// next, it reaches over the edge.
type segment struct {
	at, size int64
	use      palloc.PartUse
	from, on bool
}

// draw draws a segment, and reports whether there was space for the text.
func (d *run) draw(s segment, text, title string) bool {
	const gap, over = 50, 5 * px // between two parts, and over the edge
	x := stripLeft + share(s.at%d.bytes, d.bytes, stripWidth)
	end := stripLeft + share(s.at%d.bytes+s.size, d.bytes, stripWidth) - gap
	y, middle := d.y+unit(s.at/d.bytes)*lineStep, (x+end)/2
	space := end - x
	if s.from {
		x -= over
	}
	if s.on {
		end += over
	}
	w := max(end-x, gap)
	d.rect(string(s.use), x, y, w, lineHeight, min(2*px, w/2), title)
	if text == "" || s.use == palloc.PartHead || s.use == palloc.PartLost || extent(text, 11)+4*px > space {
		return false
	}
	d.text("s c on-"+string(s.use), middle, y+15*px, text)
	return true
}

// foot writes what comes below the strips: blocks that have none, and the freed chunks by size.
func (b *blocksPicture) foot(y unit, more []palloc.Block) {
	if len(b.l.Blocks) == 0 {
		b.text("m", margin, y+4*px, "no blocks")
		y += 28 * px
	}
	if len(more) > 0 {
		sum := int64(0)
		for _, k := range more {
			sum = add(sum, k.Size)
		}
		b.text("m", stripLeft, y+12*px, fmt.Sprintf("and %s of %s", counted(int64(len(more)), "more block"), size(sum)))
		y += 28 * px
	}
	if len(b.freed) > 0 {
		y = b.lists(y + 6*px)
	}
	b.height = y + 12*px
}

// lists writes how many freed chunks there are of each size, as many as there is space for.
func (b *blocksPicture) lists(y unit) unit {
	b.text("m e", stripLeft-12*px, y+15*px, "freed")
	var sizes []int64
	for n := range b.freed {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	x, left := stripLeft, 3 // lines
	for _, n := range sizes {
		text := fmt.Sprintf("%s × %s B", grouped(b.freed[n]), grouped(n))
		w := extent(text, 11) + 14*px
		if x+w > width-margin {
			if left--; left == 0 {
				break
			}
			x, y = stripLeft, y+lineStep
		}
		b.rect("freed", x, y, w, lineHeight, 4*px, fmt.Sprintf("%s of %s with the header", counted(b.freed[n], "freed chunk"), counted(n, "byte")))
		b.text("s c on-freed", x+w/2, y+15*px, text)
		x += w + 6*px
	}
	return y + lineStep + 6*px
}
