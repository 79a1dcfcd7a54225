package draw

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math/bits"
	"strconv"
)

// The canvas: shapes and text to SVG.
//
// Invariant: what a program named reaches the document through escape alone. Numbers are integers,
// so that every machine writes the same.
//
// Cost: appending to a buffer.

// A unit is a hundredth of a pixel.
type unit int

const px unit = 100

// String returns the number of pixels.
func (u unit) String() string {
	sign := ""
	if u < 0 {
		sign, u = "-", -u
	}
	text := sign + strconv.Itoa(int(u/px))
	switch rest := int(u % px); {
	case rest == 0:
		return text
	case rest%10 == 0:
		return text + "." + strconv.Itoa(rest/10)
	default:
		return fmt.Sprintf("%s.%02d", text, rest)
	}
}

// share returns n/of of a width, for n of 0 up to of.
func share(n, of int64, width unit) unit {
	if of <= 0 || n <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(min(n, of)), uint64(width))
	q, _ := bits.Div64(hi, lo, uint64(of))
	return unit(q)
}

// The width of all pictures, as wide as GitHub shows one, and what is left free at the sides.
const (
	width  = 850 * px
	margin = 20 * px
)

// canvas is a document that is being written.
type canvas struct {
	body          bytes.Buffer
	picture       string // its kind, which its IDs begin with
	title, detail string
	height        unit
}

// escape returns text for a document.
func escape(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(text)) // a bytes.Buffer takes all
	return b.String()
}

// rect draws a rectangle with rounded corners. A title, if there is one, is shown to who points at it.
func (c *canvas) rect(class string, x, y, w, h, round unit, title string) {
	fmt.Fprintf(&c.body, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, x, y, w, h)
	if round != 0 {
		fmt.Fprintf(&c.body, ` rx="%s"`, round)
	}
	if title == "" {
		c.body.WriteString("/>\n")
		return
	}
	fmt.Fprintf(&c.body, "><title>%s</title></rect>\n", escape(title))
}

// text writes text that begins at x, in a class.
func (c *canvas) text(class string, x, y unit, text string) {
	fmt.Fprintf(&c.body, `<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, x, y, escape(text))
}

// path draws a line.
func (c *canvas) path(class, d string) {
	fmt.Fprintf(&c.body, `<path class="%s" d="%s"/>`+"\n", class, d)
}

// heading writes what is at the top of each picture.
func (c *canvas) heading(title, detail string) {
	c.text("b h", margin, 34*px, fit(title, width-2*margin, 17))
	c.text("m", margin, 55*px, fit(detail, width-2*margin, 13))
}

// finish returns the whole document.
func (c *canvas) finish() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-labelledby="%[3]s-title %[3]s-desc">`+"\n",
		width, c.height, c.picture)
	fmt.Fprintf(&b, `<title id="%s-title">%s</title>`+"\n", c.picture, escape(c.title))
	fmt.Fprintf(&b, `<desc id="%s-desc">%s</desc>`+"\n", c.picture, escape(c.detail))
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="page" x="0.5" y="0.5" width="%s" height="%s" rx="8"/>`+"\n", width-px, c.height-px)
	b.Write(c.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// fit returns text that takes at most a width at a font size in pixels: it is cut, with an ellipsis,
// where it is too long.
func fit(text string, width unit, font int) string {
	if extent(text, font) <= width {
		return text
	}
	end, left := 0, width-extent("…", font)
	for i, r := range text {
		if left -= advance(r, font); left < 0 {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + "…"
}

// bold returns about how wide bold text of the usual size is.
func bold(text string) unit { return extent(text, 13) * 11 / 10 }

// fitBold is fit for such text.
func fitBold(text string, width unit) string { return fit(text, width*10/11, 13) }

// extent returns about how wide text is at a font size in pixels, in most fonts at most.
func extent(text string, font int) (w unit) {
	for _, r := range text {
		w += advance(r, font)
	}
	return w
}

// advance returns about how wide a character is: in hundredths of the font size.
func advance(r rune, font int) unit {
	switch {
	case r >= 0x1100:
		return unit(100 * font)
	case bytes.ContainsRune([]byte("ijl.,:;'|!()[] "), r):
		return unit(33 * font)
	case bytes.ContainsRune([]byte("frt-/\\\""), r):
		return unit(41 * font)
	case bytes.ContainsRune([]byte("mwMW@%<>+=~"), r):
		return unit(92 * font)
	case r >= 'A' && r <= 'Z' || r > 0x7e:
		return unit(72 * font)
	}
	return unit(60 * font)
}
