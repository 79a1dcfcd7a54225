package main_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/draw"
)

// Pictures: of the recording that the program carries, stopped anywhere, and of files; what is refused;
// and that the pictures in the documents are those that the program makes.

// wantPicture checks that text is one XML document with the words in it.
func wantPicture(t *testing.T, text string, words ...string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	for _, w := range append(words, "<svg ") {
		if !strings.Contains(text, w) {
			t.Errorf("the picture has no %q:\n%s", w, text)
		}
	}
}

func TestDrawMakesEachPicture(t *testing.T) {
	for _, picture := range []struct {
		args  []string
		words []string
	}{
		{nil, []string{"118 contexts", "TopMemoryContext", "index info", "×91"}},
		{[]string{"-boxes", "200"}, []string{"Timezones", "pg_class_oid_index"}},
		{[]string{"-picture", "links"}, []string{"firstchild", "CacheMemoryContext", "prevchild"}},
		{[]string{"-picture", "links", "-context", "1"}, []string{"TopMemoryContext", "parent is nil"}},
		{[]string{"-picture", "blocks", "-context", "Timezones"}, []string{"live", "dynahash"}},
		{[]string{"-at", "0"}, []string{"1 context,", "replay"}},
		{[]string{"-at", "449780"}, []string{"TopMemoryContext"}},
		{[]string{small(t, 1000)}, []string{"1 context,", "top"}},
		{[]string{"-picture", "blocks", small(t, 100_000)}, []string{"1 live"}},
	} {
		o := palloc(t, append([]string{"draw"}, picture.args...)...)
		o.wantClean(t)
		wantPicture(t, o.stdout, picture.words...)
	}
}

func TestDrawWritesTheFileOnly(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tree.svg")
	o := palloc(t, "draw", "-o", name)
	o.wantClean(t)
	text, err := os.ReadFile(name)
	if err != nil || o.stdout != "" {
		t.Fatalf("%v, and on standard output %q", err, o.stdout)
	}
	if same := palloc(t, "draw"); same.stdout != string(text) {
		t.Errorf("the file has\n%s\nand standard output\n%s", text, same.stdout)
	}
}

// saved writes values as JSON, each to a file, and returns their paths.
func saved(t *testing.T, values ...any) (names []string) {
	t.Helper()
	dir := t.TempDir()
	for i, v := range values {
		text, err := json.Marshal(v)
		if s, ok := v.(string); ok {
			text, err = []byte(s), nil
		}
		name := filepath.Join(dir, string(rune('a'+i))+".json")
		if err == nil {
			err = os.WriteFile(name, text, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func TestDrawReadsWhatAProgramSaved(t *testing.T) {
	mc := core.NewAllocSet(core.Top(), "<server>")
	defer mc.Delete()
	mc.Alloc(100)
	core.NewBump(mc, "rows").Alloc(10)
	snapshot, layout := core.TakeSnapshot(mc), mc.Layout()
	files := saved(t, snapshot, layout)
	for _, picture := range []struct {
		args []string
		draw func(w io.Writer) error
	}{
		{files[:1], func(w io.Writer) error { return draw.Tree(w, snapshot, 0) }},
		{[]string{"-picture", "links", "-context", "rows", files[0]}, func(w io.Writer) error { return draw.Links(w, snapshot, 2) }},
		{files[1:], func(w io.Writer) error { return draw.Blocks(w, layout) }},
	} {
		var want bytes.Buffer
		if err := picture.draw(&want); err != nil {
			t.Fatal(err)
		}
		o := palloc(t, append([]string{"draw"}, picture.args...)...)
		o.wantClean(t)
		if o.stdout != want.String() {
			t.Errorf("palloc draw %q draws\n%s\nand the program\n%s", picture.args, o.stdout, want.String())
		}
	}
}

func TestDrawRefusesBadInput(t *testing.T) {
	mc := core.NewAllocSet(core.Top(), "x")
	defer mc.Delete()
	files := saved(t, core.TakeSnapshot(mc), mc.Layout(), "{", "{}", `{"Rows":[]}`, `{"Rows":[{"ID":1,"Level":3}]}`,
		`{"Rows":[{"Kind":"Heap"}]}`, `{"Blocks":[{"Size":8}]}`, `[1]`, `{"Rows":null}`)
	out := filepath.Join(t.TempDir(), "out.svg")
	for _, bad := range []struct {
		says string
		args []string
	}{
		{`-picture is "cake"`, []string{"-picture", "cake"}},
		{"-at is -2", []string{"-at", "-2"}},
		{"-at is 999999999; the trace has", []string{"-at", "999999999"}},
		{"-boxes is 0", []string{"-boxes", "0"}},
		{"2 files", []string{"a", "b"}},
		{"empty name", []string{""}},
		{"flag provided but not defined: -color", []string{"-color"}},
		{"missing.mctrace", []string{"missing.mctrace"}},
		{"missing.json", []string{"missing.json"}},
		{"is a directory", []string{t.TempDir()}},
		{"the file starts with", []string{spoilt(t, small(t, 10), func(b []byte) []byte { return append([]byte("x"), b...) })}},
		{`name, ident or ID "nothing"`, []string{"-picture", "links", "-context", "nothing"}},
		{`name, ident or ID "0"`, []string{"-picture", "blocks", "-context", "0"}},
		{"-at is for a replay", []string{"-at", "3", files[0]}},
		{"which has no blocks", []string{"-picture", "blocks", files[0]}},
		{"the blocks of one context only", []string{"-picture", "tree", files[1]}},
		{"unexpected end of JSON", files[2:3]},
		{"neither the Rows", files[3:4]},
		{"has no rows", files[4:5]},
		{"the first row has", files[5:6]},
		{`"Heap" is no kind`, files[6:7]},
		{"leave 8 bytes", files[7:8]},
		{"cannot unmarshal array", files[8:9]},
		{"has no rows", files[9:10]},
	} {
		o := palloc(t, append([]string{"draw", "-o", out}, bad.args...)...)
		o.wantComplaint(t, 2, bad.says)
		if _, err := os.Stat(out); err == nil || o.stdout != "" {
			t.Fatalf("palloc draw %q writes something: %q", bad.args, o.stdout)
		}
	}
	palloc(t, "draw", "-o", filepath.Join(t.TempDir(), "none", "x.svg")).wantComplaint(t, 2, "none")
	palloc(t, "draw", "-docs", filepath.Join(t.TempDir(), "none")).wantComplaint(t, 2, "none")
}

func TestDrawHelps(t *testing.T) {
	o := palloc(t, "draw", "-help")
	o.wantClean(t)
	for _, flag := range []string{"-picture", "-at", "-context", "-boxes", "-o ", "-docs"} {
		if !strings.Contains(o.stdout, "  "+flag) {
			t.Errorf("the help does not name %s:\n%s", flag, o.stdout)
		}
	}
}

func TestPicturesOfTheDocumentsAreCurrent(t *testing.T) {
	if os.Getenv("PALLOCDEBUG") != "" {
		t.Skip("PALLOCDEBUG is set, with which contexts have other blocks")
	}
	const folder = "../../docs/pictures"
	made := t.TempDir()
	palloc(t, "draw", "-docs", made).wantClean(t)
	names, err := filepath.Glob(filepath.Join(made, "*"))
	if err != nil || len(names) != 3 {
		t.Fatalf("%d pictures are made: %v", len(names), err)
	}
	for _, name := range names {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		wantPicture(t, string(want))
		have, err := os.ReadFile(filepath.Join(folder, filepath.Base(name)))
		if have = bytes.ReplaceAll(have, []byte("\r\n"), []byte("\n")); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s in %s is stale (%v); 'go run ./cmd/palloc draw -docs docs/pictures' in the root makes it anew", filepath.Base(name), folder, err)
		}
	}
}
