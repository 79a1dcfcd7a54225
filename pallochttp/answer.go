package pallochttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// The answer to a request, which knows whether it began.
//
// Invariant: while begun is false nothing was written, and another answer can take its place.
//
// Cost: a store for each call.

// An answer is the http.ResponseWriter of a request. It has what handlers ask the server's own for:
// http.ResponseController finds the rest through Unwrap.
type answer struct {
	http.ResponseWriter
	before http.Header // what the header had before the handler, nil for nothing
	begun  bool        // the status was sent, or the connection taken
}

// WriteHeader sends a status; one of 1xx, but for 101, comes before the answer.
func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= 200 || status == http.StatusSwitchingProtocols
	a.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(p)
}

// WriteString writes a part of the body, without a copy where the server needs none.
func (a *answer) WriteString(s string) (int, error) {
	a.begun = true
	return io.WriteString(a.ResponseWriter, s)
}

// ReadFrom writes what r has, from a file without a copy. A refusal in r's first Read counts as one
// after the beginning.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begun = true
	return io.Copy(a.ResponseWriter, r)
}

// FlushError sends what was written, and the status before it.
func (a *answer) FlushError() error {
	err := http.NewResponseController(a.ResponseWriter).Flush()
	a.begun = a.begun || !errors.Is(err, http.ErrNotSupported)
	return err
}

// Flush is FlushError for handlers that ask for an http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// Hijack hands the connection to the handler, which then closes it in any case.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	a.begun = a.begun || err == nil
	return conn, rw, err
}

// Unwrap returns the server's own, for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
