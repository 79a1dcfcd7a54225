package draw

import "strings"

// The style: two palettes, one for each of the reader's color schemes.
//
// Invariant: text has a contrast of 4.5 to what is behind it, and shapes one of 3 to the page, in
// both palettes, as WCAG's level AA asks for; a test computes them. What a color tells is also told
// in words.
//
// Cost: 3 KiB in each document.

// ink is what a class looks like: one property of it, in light and in dark.
type ink struct{ selector, property, light, dark string }

// The colors. Parts of blocks are named as their use.
var inks = []ink{
	{".page", "fill", "#ffffff", "#0d1117"},
	{".page", "stroke", "#d0d7de", "#30363d"},
	{"text", "fill", "#1f2328", "#e6edf3"},
	{".m", "fill", "#59636e", "#9198a1"},
	{".line,.arrow", "stroke", "#818b98", "#656c76"},
	{".head0", "fill", "#818b98", "#656c76"},
	{".n", "fill", "#0969da", "#4493f8"},
	{".box", "fill", "#f6f8fa", "#151b23"},
	{".box", "stroke", "#818b98", "#656c76"},
	{".self", "fill", "#ddf4ff", "#0b1e38"},
	{".self", "stroke", "#0969da", "#4493f8"},
	{".free", "fill", "#818b98", "#656c76"},
	{".live", "fill", "#0969da", "#4493f8"},
	{".freed", "fill", "#bf8700", "#d29922"},
	{".joined", "fill", "#8250df", "#ab7df8"},
	{".unused", "fill", "#f6f8fa", "#151b23"},
	{".unused", "stroke", "#818b98", "#656c76"},
	{".head", "fill", "#59636e", "#9198a1"},
	{".lost", "fill", "#818b98", "#656c76"},
	{".unread", "fill", "#cf222e", "#f85149"},
	{".on-live,.on-joined,.on-unread", "fill", "#ffffff", "#0d1117"},
	{".on-freed", "fill", "#1f2328", "#0d1117"},
	{".on-unused", "fill", "#59636e", "#9198a1"},
}

// fixed is what both schemes share.
const fixed = `text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.b,.n{font-weight:600}
.h{font-size:17px}
.s,.e.s{font-size:11px}
.e{text-anchor:end}
.c{text-anchor:middle}
.line,.arrow{fill:none;stroke-width:1.25}
.more{stroke-dasharray:4 3}
`

// style is the element with the style of every picture.
var style = "<style>\n" + fixed + colors(func(i ink) string { return i.light }) +
	"@media (prefers-color-scheme:dark){\n" + colors(func(i ink) string { return i.dark }) + "}\n</style>\n"

// colors returns the rules of one palette.
func colors(of func(ink) string) string {
	var b strings.Builder
	for _, i := range inks {
		b.WriteString(i.selector + "{" + i.property + ":" + of(i) + "}\n")
	}
	return b.String()
}
