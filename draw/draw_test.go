package draw_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/draw"
)

// What every picture is: a well-formed document within its bounds, for everyone, whatever the names
// are; and what is refused.

// hostile are names that a document must not take as they are.
var hostile = []string{
	`<a&"b">`, `]]></text><script>alert(1)</script>`, "\x00\x01\x1b[31m", "line\nbreak\ttab", "\xff\xfe not UTF-8",
	"\u202eright to left", "\uffff\ufffe\ufffd", "", strings.Repeat("long ", 200), strings.Repeat("漢", 100), "'--><!-- &#0;",
}

// pictures returns all pictures of contexts with a name.
func pictures(t *testing.T, name string) map[string][]byte {
	t.Helper()
	top := palloc.NewAllocSet(palloc.Top(), name)
	defer top.Delete()
	top.SetIdent(name)
	for range 3 {
		c := palloc.NewAllocSet(top, name)
		palloc.NewSlab(c, name+"!", 40).Alloc(40)
		c.SetIdent(name)
		palloc.FreePointer(c.Alloc(100))
		c.Alloc(20_000)
	}
	s := palloc.TakeSnapshot(top)
	all := map[string][]byte{}
	for picture, draw := range map[string]func(w io.Writer) error{
		"tree":         func(w io.Writer) error { return draw.Tree(w, s, 0) },
		"folded tree":  func(w io.Writer) error { return draw.Tree(w, s, 4) },
		"trimmed tree": func(w io.Writer) error { return draw.Tree(w, s, 1) },
		"links":        func(w io.Writer) error { return draw.Links(w, s, 3) },
		"top's links":  func(w io.Writer) error { return draw.Links(w, s, 1) },
		"blocks":       func(w io.Writer) error { return draw.Blocks(w, firstOf(top).Layout()) },
		"no blocks":    func(w io.Writer) error { return draw.Blocks(w, top.Layout()) },
	} {
		var w bytes.Buffer
		if err := draw(&w); err != nil {
			t.Fatalf("%s of %q: %v", picture, name, err)
		}
		all[picture] = w.Bytes()
	}
	return all
}

func firstOf(mc palloc.Context) (first palloc.Context) {
	for c := range mc.Children() {
		return c
	}
	return first
}

func TestEveryPictureIsAWellFormedDocument(t *testing.T) {
	for _, name := range hostile {
		for picture, text := range pictures(t, name) {
			wantDocument(t, fmt.Sprintf("the %s of %q", picture, name), text)
		}
	}
}

// wantDocument checks that a picture is XML, has a title and a description that its root names, no
// elements but those of a picture, and draws nothing outside of its bounds.
func wantDocument(t *testing.T, what string, text []byte) {
	t.Helper()
	ids, labels := map[string]string{}, ""
	width, height := 0.0, 0.0
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in\n%s", what, err, text)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		has := map[string]string{}
		for _, a := range e.Attr {
			has[a.Name.Local] = a.Value
		}
		ids[has["id"]] = e.Name.Local
		switch e.Name.Local {
		case "svg":
			labels, width, height = has["aria-labelledby"], number(has["width"]), number(has["height"])
			if has["role"] != "img" || width != 850 || height < 60 {
				t.Errorf("%s is no image: %v", what, has)
			}
		case "rect":
			x, y := number(has["x"]), number(has["y"])
			if w, h := number(has["width"]), number(has["height"]); x < 0 || y < 0 || w <= 0 || h <= 0 || x+w > width || y+h > height {
				t.Errorf("%s has a rectangle outside of its bounds, %v by %v: %v", what, width, height, has)
			}
		case "text":
			if x, y := number(has["x"]), number(has["y"]); x < 0 || y < 0 || x > width || y > height {
				t.Errorf("%s has text outside of its bounds: %v", what, has)
			}
		case "title", "desc", "style", "path", "tspan":
		default:
			t.Errorf("%s has an element %s", what, e.Name.Local)
		}
	}
	for i, label := range strings.Fields(labels) {
		if want := []string{"title", "desc"}[i]; ids[label] != want {
			t.Errorf("%s is labelled by %q, which is a %s", what, label, ids[label])
		}
	}
	if labels == "" || !strings.Contains(string(text), "prefers-color-scheme:dark") {
		t.Errorf("%s has no labels, or is light only:\n%s", what, text)
	}
}

// number returns a number, or one that is outside of all bounds.
func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1e9
	}
	return n
}

// words returns the text that can be selected in a picture, a line for each element.
func words(t *testing.T, text []byte) string {
	t.Helper()
	var b strings.Builder
	d, inside := xml.NewDecoder(bytes.NewReader(text)), 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Local == "text" {
				inside++
			}
		case xml.EndElement:
			if e.Name.Local == "text" {
				inside--
				b.WriteByte('\n')
			}
		case xml.CharData:
			if inside > 0 {
				b.Write(e)
			}
		}
	}
}

func TestNamesAreTextAsTheyAre(t *testing.T) {
	for name, shown := range map[string]string{
		`<a&"b">`:        `<a&"b">`,
		"\x01\x1b[31m":   `\x01\x1b[31m`,
		"new\nline":      `new\nline`,
		"\xff":           `\xff`,
		"\u202edesrever": `\u202edesrever`,
		"größer 漢":       "größer 漢",
	} {
		for picture, text := range pictures(t, name) {
			if !strings.Contains(words(t, text), shown) {
				t.Errorf("the text of the %s of %q has no %q:\n%s", picture, name, shown, words(t, text))
			}
		}
	}
}

func TestATreeOfFewBoxesHasAllContexts(t *testing.T) {
	s := fresh.large
	if len(s.Rows) != 300 {
		t.Fatalf("%d contexts, want 300", len(s.Rows))
	}
	for _, limit := range []int{1, 3, 4, 7, 12, 48, 299, 300} {
		var w bytes.Buffer
		if err := draw.Tree(&w, s, limit); err != nil {
			t.Fatal(err)
		}
		text := words(t, w.Bytes())
		boxes, contexts := 0, 0
		for _, line := range strings.Split(text, "\n") {
			switch name, count, folded := strings.Cut(line, " ×"); {
			case folded:
				n, _ := strconv.Atoi(count)
				boxes, contexts = boxes+1, contexts+n
			case strings.Contains(name, "more context"):
				n, _ := strconv.Atoi(strings.Fields(name)[0])
				boxes, contexts = boxes+1, contexts+n
			case name == "server" && boxes == 0 || name == "connection" || name == "portal" || name == "rows" || strings.HasPrefix(name, "cache"):
				boxes, contexts = boxes+1, contexts+1
			}
		}
		if boxes > max(limit, 3) || contexts != len(s.Rows) { // the heading counts as the top
			t.Errorf("with at most %d boxes there are %d, of %d contexts:\n%s", limit, boxes, contexts, text)
		}
		if limit < 299 && limit >= 12 && !strings.Contains(text, "connection ×20") {
			t.Errorf("with at most %d boxes the 20 connections are not folded:\n%s", limit, text)
		}
	}
}

// TestAnyTreeIsDrawn draws random trees, chains among them, with every number of boxes.
func TestAnyTreeIsDrawn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		s := palloc.Snapshot{Rows: []palloc.Row{{ID: 1, Level: 1, Name: "top", Kind: palloc.KindBump}}}
		for i := range r.IntN(60) {
			p := s.Rows[len(s.Rows)-1-r.IntN(min(len(s.Rows), 1+r.IntN(20)))]
			s.Rows = append(s.Rows, palloc.Row{ID: i + 2, Parent: p.ID, Level: p.Level + 1, Name: fmt.Sprint("n", r.IntN(5)),
				Stats: palloc.Stats{Held: r.Int64N(1 << uint(1+r.IntN(50)))}})
		}
		for _, limit := range []int{0, 1, 2, 3, 4, 5, 8, 13, 40} {
			var w bytes.Buffer
			if err := draw.Tree(&w, s, limit); err != nil {
				t.Fatal(err)
			}
			wantDocument(t, "a random tree", w.Bytes())
			if boxes := strings.Count(w.String(), `<tspan class="b">`); boxes > max(limit, 3) && limit != 0 {
				t.Fatalf("%d boxes of at most %d:\n%+v", boxes, limit, s.Rows)
			}
		}
	}
}

// TestADeepTreeMakesNoLargePicture: a box costs no more because it is deep.
func TestADeepTreeMakesNoLargePicture(t *testing.T) {
	const levels = 3000
	var s palloc.Snapshot
	for i := range levels {
		s.Rows = append(s.Rows, palloc.Row{ID: i + 1, Parent: i, Level: i + 1, Name: "link", Kind: palloc.KindBump})
	}
	for _, limit := range []int{0, levels} {
		var w bytes.Buffer
		if err := draw.Tree(&w, s, limit); err != nil {
			t.Fatal(err)
		}
		wantDocument(t, "a chain", w.Bytes())
		if w.Len() > 1000*levels {
			t.Errorf("a chain of %d in at most %d boxes takes %d bytes", levels, limit, w.Len())
		}
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	row := func(id, parent, level int) palloc.Row { return palloc.Row{ID: id, Parent: parent, Level: level} }
	wrong := row(1, 0, 1)
	wrong.Held = -1
	for says, rows := range map[string][]palloc.Row{
		"has no rows":                   nil,
		"the ID 0":                      {row(0, 0, 1)},
		"has the ID 1, which":           {row(1, 0, 1), row(1, 1, 2)},
		"the first row has the parent":  {row(1, 7, 1)},
		"and the level 2":               {row(1, 0, 2)},
		"level 2 below the ID 3, which": {row(1, 0, 1), row(2, 3, 2)},
		"level 3 below the ID 1, which": {row(1, 0, 1), row(2, 1, 3)},
		"row 0 has a figure of -1":      {wrong},
	} {
		for _, draw := range []func(w io.Writer, s palloc.Snapshot) error{
			func(w io.Writer, s palloc.Snapshot) error { return draw.Tree(w, s, 0) },
			func(w io.Writer, s palloc.Snapshot) error { return draw.Links(w, s, 1) },
		} {
			wantRefused(t, says, func(w io.Writer) error { return draw(w, palloc.Snapshot{Rows: rows}) })
		}
	}
	sound := palloc.Snapshot{Rows: []palloc.Row{row(1, 0, 1)}}
	wantRefused(t, "a tree of -1 boxes", func(w io.Writer) error { return draw.Tree(w, sound, -1) })
	wantRefused(t, "no context with the ID 2", func(w io.Writer) error { return draw.Links(w, sound, 2) })
	for says, b := range map[string]palloc.Block{
		"has a size of -1":              {Size: -1},
		"leave 8 bytes of it":           {Size: 8},
		"has 16 bytes, of 8 left":       {Size: 8, Parts: []palloc.Part{{Use: palloc.PartLive, Size: 16}}},
		"has 0 bytes":                   {Size: 8, Parts: []palloc.Part{{Use: palloc.PartLive}}},
		`is "x", which is no use`:       {Size: 8, Parts: []palloc.Part{{Use: "x", Size: 8}}},
		"size of 9223372036854775807":   {Size: 1<<63 - 1},
		"part 1 of block 0 has 8 bytes": {Size: 8, Parts: []palloc.Part{{Use: palloc.PartLive, Size: 8}, {Use: palloc.PartLive, Size: 8}}},
	} {
		wantRefused(t, says, func(w io.Writer) error { return draw.Blocks(w, palloc.Layout{Blocks: []palloc.Block{b}}) })
	}
}

// wantRefused checks that a picture is refused with an error of one line that says why, and that nothing is written.
func wantRefused(t *testing.T, says string, draw func(w io.Writer) error) {
	t.Helper()
	var w bytes.Buffer
	err := draw(&w)
	if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") || w.Len() != 0 {
		t.Errorf("the error is %v, after %d bytes; want one that says %q", err, w.Len(), says)
	}
}

func TestSizesOfEveryOrderAreDrawn(t *testing.T) {
	l := palloc.Layout{Path: "Top/x", Kind: palloc.KindAllocSet}
	for shift := 4; shift <= 56; shift += 4 {
		for _, large := range []bool{false, true} {
			n := int64(1) << shift
			parts := []palloc.Part{{Use: palloc.PartLive, Size: n - 1}, {Use: palloc.PartFreed, Size: 1}}
			l.Blocks = append(l.Blocks, palloc.Block{Size: n, Large: large, Parts: parts})
			var w bytes.Buffer
			if err := draw.Blocks(&w, l); err != nil {
				t.Fatal(err)
			}
			wantDocument(t, fmt.Sprintf("%d blocks", len(l.Blocks)), w.Bytes())
		}
	}
}

func TestManyChunksMakeNoLargePicture(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "many")
	defer mc.Delete()
	for i := range 100_000 {
		p := mc.Alloc(16 + i%3*8)
		if i%2 == 0 {
			palloc.FreePointer(p)
		}
	}
	var w bytes.Buffer
	if err := draw.Blocks(&w, mc.Layout()); err != nil {
		t.Fatal(err)
	}
	wantDocument(t, "many chunks", w.Bytes())
	if w.Len() > 2<<20 {
		t.Errorf("the picture has %d bytes", w.Len())
	}
}

func TestWhatJSONReadsIsDrawnAlike(t *testing.T) {
	s, l := fresh.small, fresh.layout
	var live, saved bytes.Buffer
	if err := errors.Join(draw.Tree(&live, s, 0), draw.Links(&live, s, 1), draw.Blocks(&live, l)); err != nil {
		t.Fatal(err)
	}
	var s2 palloc.Snapshot
	var l2 palloc.Layout
	through(t, s, &s2)
	through(t, l, &l2)
	if err := errors.Join(draw.Tree(&saved, s2, 0), draw.Links(&saved, s2, 1), draw.Blocks(&saved, l2)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(live.Bytes(), saved.Bytes()) {
		t.Errorf("drawn from JSON is\n%s\nand without it\n%s", saved.Bytes(), live.Bytes())
	}
}

func through(t *testing.T, v, to any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTheErrorOfTheWriterIsReturned(t *testing.T) {
	for _, err := range []error{draw.Tree(full{}, fresh.small, 0), draw.Links(full{}, fresh.small, 1), draw.Blocks(full{}, fresh.layout)} {
		if !errors.Is(err, errFull) {
			t.Errorf("the error is %v", err)
		}
	}
}
