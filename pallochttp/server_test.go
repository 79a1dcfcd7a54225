package pallochttp_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gopalloc/palloc/pallochttp"
	"github.com/gopalloc/palloc/palloctest"
)

// The middleware in a server: what a client sees of refusals, in HTTP/1.1 and HTTP/2, and what of
// the server's ResponseWriter a handler can reach.

// serve starts a server of the handler below a limit of 1 MiB.
func serve(t *testing.T, http2 bool, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	h := pallochttp.Handler(palloctest.New(t), 1<<20, f)
	var served sync.WaitGroup // with those whose connection was hijacked, for which Close does not wait
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		defer served.Done()
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if s.EnableHTTP2 = http2; http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() { // before the context's own end
		s.Close()
		served.Wait()
	})
	return s
}

// get returns the status and the body, and the error of either.
func get(s *httptest.Server, path string) (status int, body string, err error) {
	answer, err := s.Client().Get(s.URL + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

func TestAClientNeverTakesAPartForTheWhole(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/flushed":
				fmt.Fprint(w, "the first part")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				tooMuch(pallochttp.Context(r))
			case "/written":
				fmt.Fprint(w, "the first part")
				tooMuch(pallochttp.Context(r))
			case "/refused":
				w.WriteHeader(http.StatusEarlyHints) // is no beginning
				tooMuch(pallochttp.Context(r))
			}
			fmt.Fprint(w, "all")
		})
		for _, path := range []string{"/flushed", "/written"} {
			if status, body, err := get(s, path); err == nil {
				t.Errorf("HTTP/2 %t: %s is answered with %d %q, without an error", http2, path, status, body)
			}
		}
		if status, body, err := get(s, "/refused"); err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("HTTP/2 %t: a refusal is answered with %d %q %v", http2, status, body, err)
		}
		if status, body, err := get(s, "/"); err != nil || status != 200 || body != "all" {
			t.Errorf("HTTP/2 %t: the answer is %d %q %v", http2, status, body, err)
		}
	}
}

func TestAHandlerReachesTheServersWriter(t *testing.T) {
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error("SetWriteDeadline:", err)
		}
		if err := c.EnableFullDuplex(); err != nil {
			t.Error("EnableFullDuplex:", err)
		}
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("a file would be copied")
		}
		if _, ok := w.(io.StringWriter); !ok {
			t.Error("a string would be copied")
		}
		if r.URL.Path == "/" {
			fmt.Fprint(w, "answered")
			return
		}
		conn, rw, err := c.Hijack()
		if err != nil {
			t.Error("Hijack:", err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhijacked")
		rw.Flush()
		if r.URL.Path == "/refused" {
			tooMuch(pallochttp.Context(r)) // a 503 would be written to a connection of the handler
		}
	})
	for path, want := range map[string]string{"/": "answered", "/hijacked": "hijacked", "/refused": "hijacked"} {
		if status, body, err := get(s, path); err != nil || status != 200 || body != want {
			t.Errorf("%s is answered with %d %q %v", path, status, body, err)
		}
	}
}
