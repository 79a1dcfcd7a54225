package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gopalloc/palloc"
)

// Both services answer the same, which is what encoding/json makes of the document; and 503 beyond the limit.

const limit = 1 << 20

// post returns the answer to a document.
func post(s service, limit int64, document string) (code int, body string) {
	answer := httptest.NewRecorder()
	handler(s, limit).ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(document)))
	return answer.Code, answer.Body.String()
}

// sample is a document of some items.
func sample(items int) string {
	var b strings.Builder
	b.WriteString(`{"_trace":[1,{"a":null}],"items":[`)
	for i := range items {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, ` {"name": "item \"%d\" größer\u0041\ud83d\ude00", "price": %d.25, "tags": ["a%d", "b\n", true, null], "_debug": {"x": [1, 2]}, "size": {"w": 1e3, "h": -0.5}}`, i, i, i)
	}
	b.WriteString("], \"Ende\": {}, \"list\": []}\n")
	return b.String()
}

func TestAnswers(t *testing.T) {
	for memory, s := range services {
		for _, c := range []struct {
			document string
			code     int
			answer   string
		}{
			{`{}`, 200, `{"total":0.00}`},
			{` [ 1 , "a" , [ ] , true ] `, 200, `[1,"A",[],true]`},
			{`"\u00e4\u0000\"\/\t"`, 200, `"Ä\u0000\"/\u0009"`},
			{`"\ud800\ud83d\ude00"`, 200, "\"\ufffd😀\""},
			{`{"b":"x","_c":{"price":5},"a":[{"price":1.5},{"price":2,"z":0,"y":0}],"a":1}`, 200,
				`{"a":[{"price":1.5},{"price":2,"y":0,"z":0}],"a":1,"b":"X","total":3.50}`},
			{`{"price":1e999}`, 200, `{"price":1e999,"total":null}`},
			{`-0.5e-7`, 200, `-0.5e-7`},
			{``, 400, "the document ends too early\n"},
			{`[1,]`, 400, "']' is not expected at byte 3\n"},
			{`{"a" 1}`, 400, "'1' is not expected at byte 5\n"},
			{`01`, 400, "'1' is not expected at byte 1\n"},
			{"\"\xff\"", 400, "the document is not UTF-8\n"},
			{strings.Repeat("[", 501), 400, "more than 500 values around one\n"},
			{sample(20_000), 503, "the document needs too much memory\n"},
			{"[" + strings.Repeat("[],", 50_000) + "1]", 503, "the document needs too much memory\n"},
		} {
			if code, answer := post(s, limit, c.document); code != c.code || answer != c.answer {
				t.Errorf("%s answers %.80s with %d %.80q instead of %d %q", memory, c.document, code, answer, c.code, c.answer)
			}
		}
		answer := httptest.NewRecorder()
		handler(s, limit).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
		if answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s answers a GET with %d", memory, answer.Code)
		}
	}
	for mc := range palloc.Top().Children() {
		t.Error(mc.Path(), "stays")
	}
}

// changed makes of a decoded document what the services make of it.
func changed(v any, total *float64) any {
	switch v := v.(type) {
	case string:
		return strings.ToUpper(v)
	case []any:
		for i := range v {
			v[i] = changed(v[i], total)
		}
	case map[string]any:
		for k, member := range v {
			if strings.HasPrefix(k, "_") {
				delete(v, k)
				continue
			}
			if n, ok := member.(json.Number); ok && k == "price" {
				f, _ := n.Float64()
				*total += f
			}
			v[k] = changed(member, total)
		}
	}
	return v
}

func decode(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAnswersAreWhatEncodingJSONMakes(t *testing.T) {
	document := sample(100)
	total := 0.0
	want := changed(decode(t, document), &total).(map[string]any)
	want["total"] = json.Number(strconv.FormatFloat(total, 'f', 2, 64))
	for memory, s := range services {
		code, answer := post(s, limit, document)
		if code != 200 || !reflect.DeepEqual(decode(t, answer), want) {
			t.Errorf("%s answers %d %.500s", memory, code, answer)
		}
	}
}

// TestDamagedDocumentsAreRefused changes bytes of a document: what encoding/json takes is taken, and nothing else.
func TestDamagedDocumentsAreRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const alphabet = "{}[]\",:\\u0123eE+-.truefalsnl \n\x00\xffdD8"
	good := 0
	for range 2000 {
		document := []byte(sample(1))
		for range 1 + r.IntN(3) {
			at := r.IntN(len(document))
			switch r.IntN(3) {
			case 0:
				document = append(document[:at:at], document[at+1:]...)
			case 1:
				document[at] = alphabet[r.IntN(len(alphabet))]
			case 2:
				document = bytes.Join([][]byte{document[:at], document[at:]}, []byte{alphabet[r.IntN(len(alphabet))]})
			}
		}
		valid := json.Valid(document) && utf8.Valid(document)
		code, answer := post(serveGo, limit, string(document))
		if ok := code == 200; ok != valid || ok && !json.Valid([]byte(answer)) {
			t.Errorf("%q is answered with %d %q", document, code, answer)
		}
		if c, a := post(servePalloc, limit, string(document)); c != code || a != answer {
			t.Errorf("%q is answered with %d %q, and %d %q", document, code, answer, c, a)
		}
		if valid {
			good++
		}
	}
	if good < 100 || good > 1900 {
		t.Errorf("%d of 2000 are valid", good)
	}
}

func TestRequestsAtOnce(t *testing.T) {
	for memory, s := range services {
		_, want := post(s, limit, sample(30))
		h := handler(s, limit)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					answer := httptest.NewRecorder()
					h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(sample(30))))
					if answer.Body.String() != want {
						t.Errorf("%s answers %d", memory, answer.Code)
					}
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkService(b *testing.B) {
	document := []byte(sample(150))
	for memory, s := range services {
		b.Run(memory, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			h := handler(s, limit)
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(document)))
			}
		})
	}
}
