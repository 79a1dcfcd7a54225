package pallochttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/pallochttp"
	"github.com/gopalloc/palloc/palloctest"
)

// A request's context: which it is, when it ends, and what becomes of refusals and panics.

// tooMuch needs more than a limit of 1 MiB.
func tooMuch(mc palloc.Context) { mc.Alloc(2 << 20) }

// ask serves a request, and returns the answer and the value of a panic.
func ask(h http.Handler, path string) (answer *httptest.ResponseRecorder, panicked any) {
	answer = httptest.NewRecorder()
	defer func() { panicked = recover() }()
	h.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
	return answer, nil
}

func TestARequestHasAContext(t *testing.T) {
	parent := palloctest.New(t)
	var mc palloc.Context
	serve := func(w http.ResponseWriter, r *http.Request) {
		mc = pallochttp.Context(r)
		if again, ok := palloc.FromGoContext(r.Context()); !ok || again != mc {
			t.Error("Context and FromGoContext differ")
		}
		if mc.Parent() != parent || mc.Name() != "request" || mc.Ident() != "/a/b" || mc.Budget().Limit != 1<<20 {
			t.Errorf("the context is %s %q, with a limit of %d bytes", mc.Path(), mc.Ident(), mc.Budget().Limit)
		}
		fmt.Fprint(w, palloc.Sprintf(mc, "%s of %v", r.Method, mc.Kind()))
	}
	for _, c := range []struct {
		want string
		opts []pallochttp.Option
	}{
		{"GET of AllocSet", nil},
		{"GET of Bump", []pallochttp.Option{pallochttp.With(palloc.OfKind(palloc.KindBump))}},
	} {
		answer, panicked := ask(pallochttp.Handler(parent, 1<<20, http.HandlerFunc(serve), c.opts...), "/a/b")
		if panicked != nil || answer.Code != 200 || answer.Body.String() != c.want {
			t.Errorf("the answer is %d %q, with a panic of %v, instead of %q", answer.Code, answer.Body, panicked, c.want)
		}
		if mc.Live() || !parent.IsEmpty() {
			t.Error("the context outlives the request")
		}
	}
}

func TestARefusalIs503(t *testing.T) {
	parent := palloctest.New(t)
	for _, c := range []struct {
		name, retry string
		serve       func(w http.ResponseWriter, r *http.Request)
		opts        []pallochttp.Option
	}{
		{"a limit", "1", func(w http.ResponseWriter, r *http.Request) { tooMuch(pallochttp.Context(r)) }, nil},
		{"an error around it", "1", func(w http.ResponseWriter, r *http.Request) {
			_, err := pallochttp.Context(r).TryAlloc(2 << 20)
			panic(fmt.Errorf("reading: %w", err))
		}, nil},
		{"what nothing supports", "1", func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); !errors.Is(err, http.ErrNotSupported) {
				t.Error("SetReadDeadline of a recorder returns", err)
			}
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Error("Hijack of a recorder returns", err)
			}
			tooMuch(pallochttp.Context(r))
		}, nil},
		{"rounded up", "3", func(w http.ResponseWriter, r *http.Request) { tooMuch(pallochttp.Context(r)) },
			[]pallochttp.Option{pallochttp.RetryAfter(2001 * time.Millisecond)}},
		{"no Retry-After", "", func(w http.ResponseWriter, r *http.Request) { tooMuch(pallochttp.Context(r)) },
			[]pallochttp.Option{pallochttp.RetryAfter(0)}},
	} {
		var told []string
		opts := append(c.opts, pallochttp.OnRefusal(func(r *http.Request, err *palloc.OutOfMemoryError) {
			if _, ok := palloc.FromGoContext(r.Context()); ok || !parent.IsEmpty() {
				t.Errorf("%s: OnRefusal is called while the context is there", c.name)
			}
			told = append(told, fmt.Sprint(r.URL.Path, " ", strings.TrimPrefix(err.LimitedBy, parent.Path()), " ", err.LimitIdent))
		}))
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, key := range []string{"Cache-Control", "Content-Length", "Set-Cookie", "X-Outer"} {
				w.Header().Set(key, "1")
			}
			c.serve(w, r)
		})
		h := pallochttp.Handler(parent, 1<<20, inner, opts...)
		outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Outer", "of the outer")
			h.ServeHTTP(w, r)
		})
		answer, panicked := ask(outer, "/x")
		if panicked != nil || answer.Code != http.StatusServiceUnavailable || answer.Body.String() != "the request needs too much memory\n" {
			t.Errorf("%s: the answer is %d %q, with a panic of %v", c.name, answer.Code, answer.Body, panicked)
		}
		header := answer.Result().Header
		if header.Get("Retry-After") != c.retry || header.Get("Cache-Control") != "" || header.Get("Set-Cookie") != "" || header.Get("X-Outer") != "of the outer" {
			t.Errorf("%s: the header is %v", c.name, header)
		}
		if !slices.Equal(told, []string{"/x /request /x"}) {
			t.Errorf("%s: OnRefusal has %q", c.name, told)
		}
	}
}

func TestARefusalAfterTheBeginningAborts(t *testing.T) {
	parent := palloctest.New(t)
	for name, begin := range map[string]func(w http.ResponseWriter){
		"a Hijacker": func(w http.ResponseWriter) {
			if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
				t.Error(err)
			}
		},
		"Write":            func(w http.ResponseWriter) { w.Write(nil) },
		"io.WriteString":   func(w http.ResponseWriter) { io.WriteString(w, "a") },
		"io.Copy":          func(w http.ResponseWriter) { io.Copy(w, io.LimitReader(strings.NewReader("abc"), 2)) },
		"WriteHeader":      func(w http.ResponseWriter) { w.WriteHeader(200) },
		"a Flusher":        func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"the controller":   func(w http.ResponseWriter) { http.NewResponseController(w).Flush() },
		"another protocol": func(w http.ResponseWriter) { w.WriteHeader(http.StatusSwitchingProtocols) },
	} {
		told := 0
		_, panicked := ask(hijackable(pallochttp.Handler(parent, 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			tooMuch(pallochttp.Context(r))
		}), pallochttp.OnRefusal(func(*http.Request, *palloc.OutOfMemoryError) { told++ }))), "/")
		if panicked != http.ErrAbortHandler || told != 1 || !parent.IsEmpty() {
			t.Errorf("%s: the panic is %v, OnRefusal was called %d times", name, panicked, told)
		}
	}
}

// hijackable serves by h with a ResponseWriter that has a Hijack.
func hijackable(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hijacker{w.(*httptest.ResponseRecorder)}, r) })
}

type hijacker struct{ *httptest.ResponseRecorder }

func (hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

func TestAFlushThatTheServerLacksIsNoBeginning(t *testing.T) {
	h := pallochttp.Handler(palloctest.New(t), 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		tooMuch(pallochttp.Context(r))
	}))
	w := discard{http.Header{}}
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) // a panic fails
	if w.header.Get("Retry-After") != "1" {
		t.Errorf("the header is %v", w.header)
	}
}

func TestOtherPanicsGoOn(t *testing.T) {
	parent := palloctest.New(t)
	for _, want := range []any{http.ErrAbortHandler, "text", errors.New("error")} {
		_, got := ask(pallochttp.Handler(parent, 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pallochttp.Context(r).Alloc(100)
			panic(want)
		}), pallochttp.OnRefusal(func(*http.Request, *palloc.OutOfMemoryError) { t.Error("OnRefusal is called") })), "/")
		if got != want || !parent.IsEmpty() {
			t.Errorf("the panic of %v is one of %v", want, got)
		}
	}
}

func TestGoexitDeletesTheContext(t *testing.T) {
	parent := palloctest.New(t)
	h := pallochttp.Handler(parent, 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pallochttp.Context(r).Alloc(100)
		runtime.Goexit()
	}))
	var wg sync.WaitGroup
	wg.Go(func() { ask(h, "/") })
	wg.Wait()
	if !parent.IsEmpty() {
		t.Error("the context stays")
	}
}

// TestAParentThatEndsIsAFault: the server's own context is deleted while requests come.
func TestAParentThatEndsIsAFault(t *testing.T) {
	parent := palloc.NewAllocSet(palloctest.New(t), "server")
	h := pallochttp.Handler(parent, 1<<20, http.NotFoundHandler())
	parent.Delete()
	if _, panicked := ask(h, "/"); fmt.Sprintf("%T", panicked) != "*palloc.Fault" {
		t.Errorf("the panic is %v", panicked)
	}
}

func TestAParentsLimitBoundsAllRequests(t *testing.T) {
	parent := palloctest.New(t)
	const limit, workers, each = 1 << 20, 8, 300 << 10
	parent.SetLimit(limit)
	var refused, by atomic.Int64
	var asked sync.WaitGroup
	asked.Add(workers)
	h := pallochttp.Handler(parent, limit, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mc := pallochttp.Context(r)
		_, err := mc.TryAlloc(each)
		asked.Done()
		asked.Wait() // each keeps what it has until all have asked
		if err != nil {
			panic(err)
		}
	}), pallochttp.OnRefusal(func(r *http.Request, err *palloc.OutOfMemoryError) {
		refused.Add(1)
		if err.LimitedBy == parent.Path() {
			by.Add(1)
		}
	}))
	var wg sync.WaitGroup
	var served atomic.Int64
	for range workers {
		wg.Go(func() {
			if answer, _ := ask(h, "/"); answer.Code == 200 {
				served.Add(1)
			}
		})
	}
	wg.Wait()
	if served.Load() != limit/each || refused.Load() != workers-limit/each || by.Load() != refused.Load() {
		t.Errorf("%d requests are served, and %d refused, of which %d by the parent", served.Load(), refused.Load(), by.Load())
	}
	if peak := parent.Peak(); peak > limit || !parent.IsEmpty() {
		t.Errorf("the peak is %d bytes, and %d stay", peak, parent.TreeHeld())
	}
}

func TestRequestsAtOnce(t *testing.T) {
	parent := palloctest.New(t)
	h := pallochttp.Handler(parent, 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mc := pallochttp.Context(r)
		text := ""
		for i := range 50 {
			text = palloc.Sprintf(mc, "%s%d", text, i%10)
		}
		if r.URL.Path == "/large" {
			tooMuch(mc)
		}
		io.WriteString(w, text)
	}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 30 {
				path, want := "/", 200
				if i%2 == 0 {
					path, want = "/large", 503
				}
				if answer, panicked := ask(h, path); answer.Code != want || panicked != nil {
					t.Errorf("%s is answered with %d, and a panic of %v", path, answer.Code, panicked)
				}
			}
		})
	}
	wg.Wait()
	if !parent.IsEmpty() {
		t.Error("contexts stay")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	gone := palloc.NewAllocSet(palloctest.New(t), "gone")
	gone.Delete()
	next := http.NotFoundHandler()
	for want, f := range map[string]func(){
		"without a next handler":                func() { pallochttp.Handler(palloc.Top(), 1, nil) },
		"that was deleted":                      func() { pallochttp.Handler(gone, 1, next) },
		"or with the zero Context":              func() { pallochttp.Handler(palloc.Context{}, 1, next) },
		"a limit of -1 bytes":                   func() { pallochttp.Handler(palloc.Top(), -1, next) },
		`"/x" carries no context: serve it thr`: func() { pallochttp.Context(httptest.NewRequest("GET", "/x", nil)) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "pallochttp: ") || !strings.Contains(text, want) {
					t.Errorf("the panic is %q, without %q", text, want)
				}
			}()
			f()
		}()
	}
}

func BenchmarkHandler(b *testing.B) {
	r, w := httptest.NewRequest("GET", "/", nil), discard{http.Header{}}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pallochttp.Context(r).Alloc(1000) })
	for _, c := range []struct {
		name string
		h    http.Handler
	}{
		{"AllocSet", pallochttp.Handler(palloc.Top(), 1<<20, next)},
		{"Bump", pallochttp.Handler(palloc.Top(), 1<<20, next, pallochttp.With(palloc.OfKind(palloc.KindBump)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.h.ServeHTTP(w, r)
			}
		})
	}
}

// discard is an http.ResponseWriter to which nothing is written.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// TestARequestMakesNoGarbageButAFewObjects bounds what the middleware makes on Go's heap: the
// answer, a copy of the request, the context.Context, the ident, and closures.
func TestARequestMakesNoGarbageButAFewObjects(t *testing.T) {
	const most = 8
	r, w := httptest.NewRequest("GET", "/", nil), discard{http.Header{}}
	h := pallochttp.Handler(palloc.Top(), 1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pallochttp.Context(r).Alloc(1000) }))
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n > most {
		t.Errorf("a request makes %v objects on Go's heap, more than %d", n, most)
	}
}
