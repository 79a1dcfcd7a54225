package main

import (
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The plots: an SVG a family, in it a panel for each of its workloads.
//
// Invariant: they show what the tables hold, and the same picture for the same
// figures. Cost: some 10 KB each.

const (
	panelsAcross = 3
	panelWidth   = 270 // points, as all lengths here
	barHeight    = 14
	panelEdges   = 50 // what title and axis take of a panel's height
	fontSize     = 9
)

// drawPlots writes the plots into a folder, and returns their paths from the
// folder above by family.
func drawPlots(r *raw, folder string) (names map[string]string, err error) {
	names = map[string]string{}
	for _, f := range families {
		panels := panelsOf(r, f.name)
		if len(panels) == 0 {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
		file := f.name + ".svg"
		if err := drawPanels(panels, filepath.Join(folder, file)); err != nil {
			return nil, err
		}
		names[f.name] = filepath.Base(folder) + "/" + file
	}
	return names, nil
}

// drawPanels writes panels into one picture, in rows.
func drawPanels(panels []panel, name string) error {
	bars := 0
	for _, p := range panels {
		bars = max(bars, len(p.bars))
	}
	height := vg.Length(bars*barHeight + panelEdges)
	across := min(len(panels), panelsAcross)
	rows := (len(panels) + panelsAcross - 1) / panelsAcross
	picture := vgsvg.New(vg.Length(across*panelWidth), height*vg.Length(rows))
	canvas := draw.New(picture)
	for i, p := range panels {
		left := vg.Length(i % panelsAcross * panelWidth)
		top := canvas.Max.Y - height*vg.Length(i/panelsAcross)
		bottom := top - vg.Length(len(p.bars)*barHeight+panelEdges)
		p.plot().Draw(draw.Canvas{Canvas: canvas.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left + fontSize, Y: bottom}, Max: vg.Point{X: left + panelWidth, Y: top}}})
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := picture.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}

// panel is a chart of one figure: a bar a peer, or a bar a trace.
type panel struct {
	title string
	ratio bool  // of a linear scale from 0; otherwise the scale is logarithmic
	bars  []bar // from the top down
}

// bar is one line of a panel.
type bar struct {
	name  string
	value float64
	color color.Color
}

// panelsOf returns the panels of a family: those that have anything to compare.
func panelsOf(r *raw, family string) (panels []panel) {
	if family == tracesFamily {
		return tracePanels(r)
	}
	for _, w := range workloads {
		if w.family != family {
			continue
		}
		f := w.figures[0]
		p := panel{title: w.name + ", " + f.label}
		for _, c := range ranked(r, w) {
			if s := byRound(c.series(f.name)); s.mid > 0 {
				p.bars = append(p.bars, bar{c.Peer, s.mid / f.scale, colorOf(c.Peer)})
			}
		}
		if len(p.bars) > 1 {
			panels = append(panels, p)
		}
	}
	return panels
}

// tracePanels returns the ratios to PostgreSQL's contexts, a bar a trace.
func tracePanels(r *raw) (panels []panel) {
	for _, load := range []string{"trace", "trace-touched"} {
		for _, f := range workloadOf(load).figures {
			what, _, _ := strings.Cut(f.label, ",")
			p := panel{title: what + ", palloc / postgres", ratio: true}
			ratio := against(load, f.name, "palloc", "postgres", 0)
			for _, name := range r.files(load) {
				if s := byRound(ratio.ratio(r, name)); s.n > 0 {
					p.bars = append(p.bars, bar{name, s.mid, colorOf("palloc")})
				}
			}
			if len(p.bars) > 1 {
				panels = append(panels, p)
			}
		}
	}
	return panels
}

// colorOf returns the color of a peer: palloc's, PostgreSQL's, Go's, or that of the others.
func colorOf(peer string) color.Color {
	switch {
	case isOurs(peer):
		return color.RGBA{0x1b, 0x7f, 0x5c, 0xff}
	case strings.HasPrefix(peer, "postgres"):
		return color.RGBA{0x33, 0x67, 0x91, 0xff}
	case slices.Contains(goPeers(), peer):
		return color.RGBA{0x5d, 0xb8, 0xd3, 0xff}
	}
	return color.RGBA{0xa0, 0xa0, 0xa0, 0xff}
}

// plot returns the panel as a chart.
func (p panel) plot() *plot.Plot {
	plot.DefaultFont.Variant = "Sans"
	c := plot.New()
	c.Title.Text = p.title
	c.Title.TextStyle.Font.Size = fontSize + 2
	c.X.Tick.Label.Font.Size, c.Y.Tick.Label.Font.Size = fontSize, fontSize
	c.Y.LineStyle.Width, c.Y.Tick.Length = 0, 0
	c.Y.Min, c.Y.Max = -0.5, float64(len(p.bars))-0.5
	var names plot.ConstantTicks
	for i, b := range p.bars {
		names = append(names, plot.Tick{Value: p.height(i), Label: b.name})
	}
	c.Y.Tick.Marker = names
	p.scale(c)
	c.Add(p)
	return c
}

// height returns where the bar of an index lies: the first one is the highest.
func (p panel) height(i int) float64 { return float64(len(p.bars) - 1 - i) }

// scale sets the axis of values, with room for the number next to the longest bar.
func (p panel) scale(c *plot.Plot) {
	low, high := p.bars[0].value, p.bars[0].value
	for _, b := range p.bars {
		low, high = min(low, b.value), max(high, b.value)
	}
	if p.ratio {
		c.X.Min, c.X.Max = 0, 1.25*max(high, 1)
		return
	}
	c.X.Min = low / 2
	c.X.Max = high * math.Pow(high/c.X.Min, 0.25)
	c.X.Scale, c.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
}

// Plot draws the bars, each with its value, and where 1 is in a panel of ratios.
func (p panel) Plot(canvas draw.Canvas, c *plot.Plot) {
	x, y := c.Transforms(&canvas)
	style := c.X.Tick.Label
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	for i, b := range p.bars {
		left, right, middle := x(c.X.Min), x(b.value), y(p.height(i))
		canvas.FillPolygon(b.color, []vg.Point{
			{X: left, Y: middle - 0.4*barHeight}, {X: right, Y: middle - 0.4*barHeight},
			{X: right, Y: middle + 0.4*barHeight}, {X: left, Y: middle + 0.4*barHeight}})
		canvas.FillText(style, vg.Point{X: right + 2, Y: middle}, number(b.value))
	}
	if p.ratio {
		canvas.StrokeLine2(c.X.LineStyle, x(1), canvas.Min.Y, x(1), canvas.Max.Y)
	}
}
