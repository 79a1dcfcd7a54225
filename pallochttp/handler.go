// Package pallochttp gives each request of a net/http server a context with a limit.
//
//	server := palloc.NewAllocSet(palloc.Top(), "server")
//	server.SetLimit(1 << 30) // of all requests together
//	http.ListenAndServe(addr, pallochttp.Handler(server, 16<<20, mux))
//
// A handler gets the context from its request:
//
//	mc := pallochttp.Context(r)
//
// Ownership: the context belongs to the goroutine that serves the request, and is deleted when the
// handler returns or panics. A goroutine that the handler starts and that allocates needs a context
// of its own, and must end before the handler returns. Nothing in the context may be used
// afterwards.
//
// Limits: a request that needs more than its limit, or more than what contexts above grant, is
// answered with 503 and Retry-After if nothing of its answer was written. Otherwise its connection
// is aborted, so that no client takes a part for the whole. To be answered with 503, write the
// answer at the end: into a palloc.Buffer, or a bufio.Writer.
//
// Memory on Go's heap is not counted: http.MaxBytesReader bounds a body that is read there.
//
// Cost: that of a Scope with a limit, and 7 small objects on Go's heap for each request, as this
// prints:
//
//	go test -run '^$' -bench Handler ./pallochttp
package pallochttp

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gopalloc/palloc"
)

// The middleware: the life of a request's context, and what becomes of a refusal.
//
// Invariant: when ServeHTTP is over, in any way, the request's context is deleted. A refusal is a
// 503 or an aborted connection.
//
// Cost: a context with a budget, its ident, a copy of the request, a context.Context and an answer.

// Handler returns a handler that serves each request by next with a new context below parent, an
// AllocSet unless With says otherwise. What the context and all contexts below it hold is limited
// to limit bytes; palloc.NoLimit is no limit. Context returns it. Its name is "request", and its
// ident the URL's path, so that an *palloc.OutOfMemoryError says which requests hold the memory.
//
// When next panics with an error that is or wraps an *palloc.OutOfMemoryError, as palloc's
// functions do, the request is refused: see the package's documentation. Other panics go on
// unchanged, http.ErrAbortHandler among them. Middleware that recovers panics belongs around
// Handler, not inside: it would answer refusals itself.
//
// parent may be palloc.Top. A limit of parent bounds all requests together: one that it refuses is
// answered as one that its own limit refuses, and LimitedBy of the error tells which it was.
//
// Requests may be served concurrently. Handler panics when next is nil, parent was deleted or limit
// is negative.
func Handler(parent palloc.Context, limit int64, next http.Handler, opts ...Option) http.Handler {
	switch {
	case next == nil:
		panic("pallochttp: Handler without a next handler")
	case !parent.Live():
		panic("pallochttp: Handler with a parent that was deleted, or with the zero Context")
	case limit < 0:
		panic(fmt.Sprintf("pallochttp: Handler with a limit of %d bytes: it must be at least 0, or palloc.NoLimit", limit))
	}
	h := &handler{parent: parent, limit: limit, next: next}
	RetryAfter(time.Second)(h)
	for _, o := range opts {
		o(h)
	}
	return h
}

// A handler is what Handler returns.
type handler struct {
	parent palloc.Context
	limit  int64
	next   http.Handler
	scope  []palloc.Option
	told   func(r *http.Request, err *palloc.OutOfMemoryError)
	retry  string // the value of Retry-After, "" for none
}

// An Option of Handler.
type Option func(h *handler)

// With passes options to palloc.Scope, which creates the contexts: palloc.OfKind,
// palloc.BlockSizes, palloc.Shared. A Bump is the fastest and has no overhead, but does not free:
// what grows in it leaves its former chunks behind.
func With(opts ...palloc.Option) Option {
	return func(h *handler) { h.scope = append(h.scope, opts...) }
}

// OnRefusal calls f with each request that was refused, before it is answered: to log or count it.
// The request's context is deleted by then, and the request does not carry it. f may be called
// concurrently.
func OnRefusal(f func(r *http.Request, err *palloc.OutOfMemoryError)) Option {
	return func(h *handler) { h.told = f }
}

// RetryAfter sets the time after which a client may ask again, which is rounded up to seconds. It
// is a second without the option; 0 leaves the header out.
func RetryAfter(d time.Duration) Option {
	seconds := ""
	if d > 0 {
		seconds = strconv.FormatInt(int64((d-1)/time.Second)+1, 10)
	}
	return func(h *handler) { h.retry = seconds }
}

// Context returns the context that Handler gave the request. It panics if there is none:
// palloc.FromGoContext asks without that. Any goroutine.
func Context(r *http.Request) palloc.Context {
	mc, ok := palloc.FromGoContext(r.Context())
	if !ok {
		panic(fmt.Sprintf("pallochttp: the request of %q carries no context: serve it through pallochttp.Handler", r.URL.Path))
	}
	return mc
}

// ServeHTTP serves a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w}
	if header := w.Header(); len(header) > 0 {
		a.before = header.Clone()
	}
	err := h.serve(a, r)
	if err == nil {
		return
	}
	var full *palloc.OutOfMemoryError
	if errors.As(err, &full) && h.told != nil {
		h.told(r, full)
	}
	if a.begun {
		panic(http.ErrAbortHandler) // the client must not take what was written for the whole answer
	}
	a.refuse(h.retry)
}

// serve calls next with a new context, and returns the error of a refusal.
func (h *handler) serve(a *answer, r *http.Request) (err error) {
	defer func() {
		// a refusal inside is Scope's error: this one is about the context itself
		switch v := recover().(type) {
		case nil:
		case *palloc.OutOfMemoryError:
			err = v
		default:
			panic(v)
		}
	}()
	return palloc.Scope(h.parent, "request", func(mc palloc.Context) error {
		mc.SetIdent(ident(r))
		mc.SetLimit(h.limit)
		h.next.ServeHTTP(a, r.WithContext(palloc.NewGoContext(r.Context(), mc)))
		return nil
	}, h.scope...)
}

// ident returns the beginning of the path, as much of it as errors show.
func ident(r *http.Request) string {
	const shown = 100
	return r.URL.Path[:min(len(r.URL.Path), shown)]
}

// refuse answers with 503 and the header as it was before next.
func (a *answer) refuse(retry string) {
	header := a.Header()
	clear(header)
	maps.Copy(header, a.before)
	if retry != "" {
		header.Set("Retry-After", retry)
	}
	http.Error(a.ResponseWriter, "the request needs too much memory", http.StatusServiceUnavailable)
}
