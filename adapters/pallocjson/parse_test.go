package pallocjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/adapters/pallocjson"
	"github.com/gopalloc/palloc/palloctest"
)

// Documents are taken and refused as encoding/json does, apart from three differences, and have the
// same values.

// good are documents that are taken.
var good = []string{
	`null`, `true`, `false`, `0`, `-0`, `-0.0`, `1`, `-1`, `1e5`, `1E+5`, `1.5e-5`, `1e999`, `-1e999`, `123456789012345678901234567890`,
	`9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `0.1`, `1e0`, `1e00`,
	`""`, `"a"`, `"\""`, `"\\"`, `"\/"`, `"/"`, `"\b\f\n\r\t"`, `"\u0000"`, `"\u00e4\u20AC"`, `"\ud83d\ude00"`, `"😀"`, `"\\ud800"`, `"\u2028"`, "\"\u2028\"", `"\uFFFD"`, "\"\x7f\"",
	"\"" + strings.Repeat("long ", 1000) + "\"", "\"" + strings.Repeat(`\u00e4`, 1000) + "\"", `"` + strings.Repeat(`\\`, 5000) + `"`,
	`[]`, `{}`, `[[]]`, `[{}]`, `{"":{}}`, `{"":""}`, `[1]`, `[1,2]`, `[null,true,false,"",0,[],{}]`, `[[[[1],2],3],4]`,
	` [ ] `, "\t{\n}\r", " [ 1 , 2 ] ", "{ \"a\" : 1 , \"b\" : 2 }", `{"a":[{"b":[{"c":null}]}]}`, `{"a":{"a":{"a":1}}}`, `{"\u0061":1}`,
	`{"a":1,"A":2,"":3," ":4,"\u0000":5}`, `{"a":{"x":1},"b":{"x":1}}`, `[{"x":1},{"x":2}]`,
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000),
	wide(8, ""), wide(9, ""), wide(10, ""), wide(1000, ""), "[" + strings.Repeat("0,", 5000) + "0]",
}

// bad are documents that are refused, with a part of the error.
var bad = map[string]string{
	``: "unexpected EOF", ` `: "unexpected EOF", "\n": "unexpected EOF", `nul`: "unexpected EOF", `tru`: "", `falsE`: "", `nulll`: "", `True`: "invalid character", `NaN`: "", `Infinity`: "", `-`: "", `+1`: "",
	`01`: "", `-01`: "", `1.`: "", `.5`: "", `-.5`: "", `1e`: "", `1e+`: "", `1.e5`: "", `0x10`: "", `1_000`: "", `1 2`: "another value", `1,`: "", `,1`: "", `--1`: "", `1a`: "",
	`"`: "unexpected EOF", `"a`: "", `'a'`: "", `"\x"`: "", `"\u12"`: "", `"\u12G4"`: "", `"\`: "", "\"\n\"": "", "\"\x00\"": "", "\"\x1f\"": "", `"\'"`: "", `"a""b"`: "", `\u0022a"`: "",
	`[`: "unexpected EOF", `]`: "", `[1`: "", `[1,`: "", `[1,]`: "", `[,1]`: "", `[,]`: "", `[1 2]`: "", `[1}`: "", `[1]]`: "", `[1],`: "", `[1:2]`: "", `["a":1]`: "", `[]a`: "", `[][]`: "another value",
	`{`: "", `}`: "", `{"a"`: "", `{"a":`: "", `{"a":1`: "", `{"a":1,`: "", `{"a":1,}`: "", `{"a"}`: "", `{"a",1}`: "", `{"a" 1}`: "", `{a:1}`: "", `{1:1}`: "", `{null:1}`: "", `{[]:1}`: "", `{{}:1}`: "", `{:1}`: "", `{,}`: "", `{"a":1 "b":2}`: "", `{"a":1]`: "", `{"a"::1}`: "", `{"a":1}}`: "", `{"a":1}{"b":2}`: "another value",
	`/**/1`: "", `1//`: "", "\ufeff1": "", "\v1": "", "\u00a01": "", "1\x00": "",
	strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001): "depth", strings.Repeat("[", 1_000_000): "depth", strings.Repeat(`{"a":`, 10_001): "depth",
}

// strict are documents that encoding/json takes, and this package refuses.
var strict = map[string]string{
	`{"a":1,"a":2}`: `duplicate object member name "a"`, `{"a":1,"b":2,"\u0061":3}`: "duplicate", `[{"x":{"":1,"":1}}]`: `name "" within "/0/x"`, wide(9, `,"7":0`): `name "7"`, wide(1000, `,"0":0`): `name "0"`, wide(6, `,"5":0`): `name "5"`,
	"\"\xff\"": "invalid UTF-8", "\"\xc3\"": "invalid UTF-8", "\"\xed\xa0\x80\"": "invalid UTF-8", "\"\xf8\x88\x80\x80\x80\"": "invalid UTF-8", "{\"\xff\":1}": "invalid UTF-8", "\"\xc0\xaf\"": "invalid UTF-8",
	`"\ud800"`: "surrogate", `"\udc00"`: "surrogate", `"\ud800\u0041"`: "surrogate", `"\ud800\ud800"`: "surrogate", `"\ud800x"`: "surrogate", `"\ud83d\uD83D\ude00"`: "surrogate",
}

// wide returns an object with members from 0 on, in a mixed order.
func wide(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%c"%d":%d`, ",{"[btoi(i == 0)], (i*7)%n, i)
		if n%7 == 0 {
			panic("the order repeats")
		}
	}
	return b.String() + more + "}"
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// decode returns what encoding/json reads, with numbers as they are.
func decode(document []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err = d.Decode(&v); err == nil {
		if _, more := d.Token(); more != io.EOF {
			return nil, errors.New("there is more")
		}
	}
	return v, err
}

// plain returns what encoding/json makes of the same value.
func plain(t *testing.T, v pallocjson.Value) any {
	switch v.Kind() {
	case pallocjson.Null:
		return nil
	case pallocjson.Bool:
		return v.Bool()
	case pallocjson.Number:
		return json.Number(strings.Clone(v.Text().String()))
	case pallocjson.String:
		return strings.Clone(v.Text().String())
	case pallocjson.Array:
		list := []any{}
		for e := range v.Elements() {
			if !reflect.DeepEqual(v.Index(len(list)).String(), e.String()) && v.Len() < 100 {
				t.Errorf("element %d is %v and %v", len(list), v.Index(len(list)), e)
			}
			list = append(list, plain(t, e))
		}
		if len(list) != v.Len() {
			t.Errorf("%d elements instead of %d", len(list), v.Len())
		}
		return list
	}
	members := map[string]any{}
	for name, m := range v.Members() {
		members[strings.Clone(name.String())] = plain(t, m)
		if found, ok := v.Get(name.String()); !ok || found.Kind() != m.Kind() || found.Text().String() != m.Text().String() {
			t.Errorf("Get(%q) finds %t another member", name, ok)
		}
	}
	for _, other := range []string{"none", "\x00\x00", "\U0010ffff"} {
		if _, ok := v.Get(other); ok && members[other] == nil {
			t.Errorf("Get finds %q", other)
		}
	}
	if len(members) != v.Len() {
		t.Errorf("%d members instead of %d", len(members), v.Len())
	}
	return members
}

// deep is the depth beyond which a test does not compare: String of every level of it takes the
// square.
func deep(document []byte) bool { return bytes.HasPrefix(document, bytes.Repeat([]byte("["), 1000)) }

// check parses a document, and compares. It returns the error.
func check(t *testing.T, mc palloc.Context, document []byte) error {
	t.Helper()
	v, err := pallocjson.ParseBytes(mc, document)
	again, other := pallocjson.Parse(mc, iotest.HalfReader(bytes.NewReader(document)))
	if fmt.Sprint(err) != fmt.Sprint(other) {
		t.Errorf("%.100q: ParseBytes returns %v, and Parse %v", document, err, other)
	}
	want, refused := decode(document)
	if err != nil {
		if v.Kind() != pallocjson.Null || v.Len() != 0 {
			t.Errorf("%.100q: a value is returned with an error", document)
		}
		return err
	}
	if refused != nil {
		t.Fatalf("%.100q is taken, and encoding/json says %v", document, refused)
	}
	if got := again.String(); got != v.String() {
		t.Errorf("%.100q: ParseBytes reads %.100s, and Parse %.100s", document, v, got)
	}
	written := v.AppendJSON(nil)
	if back, err := decode(written); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%.100q is written as %.100q: %v", document, written, err)
	}
	if !deep(document) {
		if got := plain(t, v); !reflect.DeepEqual(got, want) {
			t.Errorf("%.100q is read as %.100v instead of %.100v", document, got, want)
		}
	}
	return nil
}

func TestGoodDocuments(t *testing.T) {
	for _, document := range good {
		mc := palloctest.New(t, palloctest.AllowChunks(), palloctest.Unchecked())
		if err := check(t, mc, []byte(document)); err != nil {
			t.Errorf("%.100q: %v", document, err)
		}
	}
}

func TestBadDocuments(t *testing.T) {
	for document, says := range bad {
		mc := palloctest.New(t, palloctest.AllowChunks())
		err := check(t, mc, []byte(document))
		var syntax *jsontext.SyntacticError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100q: the error is %v, without %q", document, err, says)
		}
		if _, err := decode([]byte(document)); err == nil {
			t.Errorf("%.100q is refused, and encoding/json takes it", document)
		}
	}
}

func TestDocumentsThatEncodingJSONTakes(t *testing.T) {
	for document, says := range strict {
		mc := palloctest.New(t, palloctest.AllowChunks())
		if err := check(t, mc, []byte(document)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100q: the error is %v, without %q", document, err, says)
		}
		if _, err := decode([]byte(document)); err != nil {
			t.Errorf("%.100q is refused by encoding/json, too", document)
		}
	}
	if _, err := pallocjson.ParseBytes(palloctest.New(t, palloctest.AllowChunks()), []byte(`{"a":1,"a":2}`)); !errors.Is(err, jsontext.ErrDuplicateName) {
		t.Error("the error is no jsontext.ErrDuplicateName:", err)
	}
}

func TestNumbers(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	for _, c := range []struct {
		document     string
		float        float64
		integer      int64
		noFloat, not string // parts of the errors
	}{
		{"0", 0, 0, "", ""}, {"-12", -12, -12, "", ""}, {"9223372036854775807", 1 << 63, math.MaxInt64, "", ""},
		{"9223372036854775808", 1 << 63, 0, "", "out of range"}, {"1.5", 1.5, 0, "", "invalid syntax"}, {"1e2", 100, 0, "", "invalid syntax"},
		{"1e999", 0, 0, "out of range", "invalid syntax"},
		{`"1"`, 0, 0, "of kind string", "of kind string"}, {"null", 0, 0, "of kind null", "of kind null"}, {"[1]", 0, 0, "of kind array", "of kind array"},
	} {
		v, err := pallocjson.ParseBytes(mc, []byte(c.document))
		if err != nil {
			t.Fatal(err)
		}
		f, err := v.Float64()
		if !says(err, c.noFloat) || err == nil && f != c.float {
			t.Errorf("Float64 of %s is %v, %v", c.document, f, err)
		}
		i, err := v.Int64()
		if !says(err, c.not) || err == nil && i != c.integer {
			t.Errorf("Int64 of %s is %v, %v", c.document, i, err)
		}
	}
}

// says reports whether an error has a text, or is nil when there is none.
func says(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

func TestOrderAndDigitsAreKept(t *testing.T) {
	const document = `{"b":1.50,"a":1E+2,"c":[-0,"\u00e4\u003c"],"B":{"z":true,"y":null}}`
	mc := palloctest.New(t, palloctest.AllowChunks())
	v, err := pallocjson.ParseBytes(mc, []byte(document))
	const want = `{"b":1.50,"a":1E+2,"c":[-0,"ä<"],"B":{"z":true,"y":null}}`
	if err != nil || v.String() != want {
		t.Error(v, err)
	}
	if got, err := json.Marshal(map[string]any{"v": v}); err != nil || string(got) != `{"v":`+strings.Replace(want, "<", `\u003c`, 1)+`}` {
		t.Errorf("json.Marshal makes %s: %v", got, err)
	}
}

// TestAValueLiesInContexts: its type has no Go pointers, and outlives the input.
func TestAValueLiesInContexts(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	document := []byte(`{"a":["text",12]}`)
	stored := palloc.New[pallocjson.Value](mc) // a Fault for a type with Go pointers
	var err error
	if *stored, err = pallocjson.ParseBytes(mc, document); err != nil {
		t.Fatal(err)
	}
	clear(document)
	if stored.String() != `{"a":["text",12]}` {
		t.Error(stored)
	}
	if size := reflect.TypeFor[pallocjson.Value]().Size(); math.MaxInt == math.MaxInt64 && size != 32 {
		t.Errorf("a Value takes %d bytes", size)
	}
	if !isEmpty(pallocjson.Value{}) {
		t.Error("the zero Value is not null")
	}
	for c := range mc.Children() {
		t.Error(c.Path(), "stays")
	}
}

func isEmpty(v pallocjson.Value) bool {
	for range v.Elements() {
		return false
	}
	for range v.Members() {
		return false
	}
	_, ok := v.Get("")
	return v.Kind() == pallocjson.Null && v.Len() == 0 && v.String() == "null" && !ok
}

func TestOtherKindsHaveNothing(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	v, err := pallocjson.ParseBytes(mc, []byte(`[[7],{"":7}]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range v.Index(0).Members() {
		t.Error("an array has a member:", name, m)
	}
	if m, ok := v.Index(0).Get(""); ok {
		t.Error("an array has a member:", m)
	}
	for e := range v.Index(1).Elements() {
		t.Error("an object has an element:", e)
	}
	if v.Bool() || v.Index(0).Text().Len() > 0 || v.Kind().String() != "array" || pallocjson.Kind(9).String() != "Kind(9)" {
		t.Error(v.Bool(), v.Index(0).Text(), v.Kind(), pallocjson.Kind(9))
	}
}

func TestEndedMemoryIsAFault(t *testing.T) {
	mc := palloctest.New(t)
	v, err := pallocjson.ParseBytes(mc, []byte(`["text"]`))
	if err != nil {
		t.Fatal(err)
	}
	mc.Reset()
	defer func() {
		if _, ok := recover().(*palloc.Fault); !ok {
			t.Error("a checked context notices nothing")
		}
	}()
	_ = v.String()
}

// TestALimitBoundsADocument: whatever of a document is large.
func TestALimitBoundsADocument(t *testing.T) {
	const limit = 64 << 10
	for what, document := range map[string]string{
		"text":    `"` + strings.Repeat("x", 80<<10) + `"`,
		"escapes": `"` + strings.Repeat(`\n`, 80<<10) + `"`,
		"spaces":  strings.Repeat(" ", 80<<10) + "1",
		"digits":  strings.Repeat("1", 80<<10),
		"values":  "[" + strings.Repeat("[],", 10_000) + "0]",
		"names":   wide(5_000, ""),
		"depth":   strings.Repeat(`[[1],`, 3_000) + "1" + strings.Repeat("]", 3_000),
	} {
		for name, parse := range map[string]func(mc palloc.Context) (pallocjson.Value, error){
			"Parse": func(mc palloc.Context) (pallocjson.Value, error) {
				return pallocjson.Parse(mc, strings.NewReader(document))
			},
			"ParseBytes": func(mc palloc.Context) (pallocjson.Value, error) { return pallocjson.ParseBytes(mc, []byte(document)) },
		} {
			if what == "spaces" && name == "ParseBytes" {
				continue // takes no memory
			}
			mc := palloctest.New(t, palloctest.AllowChunks(), palloctest.Unchecked())
			mc.SetLimit(limit)
			var full *palloc.OutOfMemoryError
			if _, err := parse(mc); !errors.As(err, &full) || full.LimitedBy != mc.Path() {
				t.Errorf("%s of %s returns %v", name, what, err)
			}
			if mc.Peak() > limit {
				t.Errorf("%s of %s took %d bytes", name, what, mc.Peak())
			}
			for c := range mc.Children() {
				t.Error(c.Path(), "stays")
			}
			mc.SetLimit(palloc.NoLimit)
			if v, err := parse(mc); err != nil || v.Kind() == pallocjson.Null {
				t.Errorf("%s of %s without the limit: %v", name, what, err)
			}
		}
	}
}

func TestAReadersErrorIsReturned(t *testing.T) {
	broken := errors.New("broken")
	_, err := pallocjson.Parse(palloctest.New(t), io.MultiReader(strings.NewReader("[1,2"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Error("the error is", err)
	}
}

func TestGoroutines(t *testing.T) {
	top := palloctest.New(t, palloctest.AllowChunks(), palloctest.AllowContexts())
	var wg sync.WaitGroup
	for i := range 4 {
		mc := palloc.NewBump(top, "one's own")
		wg.Go(func() {
			for n := range 200 {
				want := fmt.Sprintf(`{"%d":[%d,"\n"]}`, i, n)
				if v, err := pallocjson.ParseBytes(mc, []byte(want)); err != nil || v.String() != want {
					t.Error(v, err)
				}
			}
		})
	}
	wg.Wait()
}

var (
	escapedBackslash = regexp.MustCompile(`\\\\`)
	pair             = regexp.MustCompile(`(?i)\\ud[89ab]..\\ud[c-f]..`)
	surrogate        = regexp.MustCompile(`(?i)\\ud[89a-f]..`)
)

// differs reports whether a document is refused for one of the documented differences.
func differs(document []byte, err error) bool {
	left := pair.ReplaceAll(escapedBackslash.ReplaceAll(document, []byte("_")), []byte("_"))
	return errors.Is(err, jsontext.ErrDuplicateName) || !utf8.Valid(document) || surrogate.Match(left)
}

func FuzzParse(f *testing.F) {
	for _, document := range good {
		if len(document) < 2000 {
			f.Add([]byte(document))
		}
	}
	for document := range bad {
		if len(document) < 2000 {
			f.Add([]byte(document))
		}
	}
	for document := range strict {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		mc := palloc.NewAllocSet(palloc.Top(), "fuzz")
		defer mc.Delete()
		err := check(t, mc, document)
		if _, refused := decode(document); err != nil && refused == nil && !differs(document, err) {
			t.Errorf("%q is refused: %v", document, err)
		}
	})
}

// sample is a document of some orders.
func sample(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"orders":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"customer":{"name":"customer %d","mail":"c%d@example.org"},"lines":[{"item":"tea \"%d\"","price":%d.25,"open":true},{"item":"cups","price":7,"open":false}],"note":null}`, i, i, i, i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// TestParsingMakesNoGarbage: no more objects on Go's heap for a large document than for a small
// one, and few for either.
func TestParsingMakesNoGarbage(t *testing.T) {
	const most = 6 // with a new tokenizer, where the collector emptied the pool
	mc := palloc.NewBump(palloc.Top(), "document")
	defer mc.Delete()
	escapes := "["
	for i := range 15 {
		escapes += `"` + strings.Repeat(`\n`, 1<<i) + `",`
	}
	for n, document := range [][]byte{sample(1), sample(200), []byte(escapes + "0]")} {
		if objects := testing.AllocsPerRun(20, func() {
			if _, err := pallocjson.ParseBytes(mc, document); err != nil {
				t.Fatal(err)
			}
			mc.Reset()
		}); objects > most {
			t.Errorf("document %d makes %v objects on Go's heap, more than %d", n, objects, most)
		}
	}
	v, err := pallocjson.ParseBytes(mc, sample(100))
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 0, 1<<20)
	if objects := testing.AllocsPerRun(20, func() {
		orders, _ := v.Get("orders")
		for o := range orders.Elements() {
			id, _ := o.Get("id")
			if _, err := id.Int64(); err != nil {
				t.Fatal(err)
			}
		}
		v.AppendJSON(buffer)
	}); objects > 0 {
		t.Errorf("reading and writing make %v objects on Go's heap", objects)
	}
}

func BenchmarkParse(b *testing.B) {
	document := sample(500)
	b.Run("palloc", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(document)))
		mc := palloc.NewBump(palloc.Top(), "document")
		defer mc.Delete()
		for b.Loop() {
			if _, err := pallocjson.ParseBytes(mc, document); err != nil {
				b.Fatal(err)
			}
			mc.Reset()
		}
	})
	b.Run("encodingjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(document)))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(document, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
