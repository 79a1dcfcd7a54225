// Command web is an HTTP service that reads a JSON document into a tree, changes it and sends it back:
//
//	go run ./examples/web &
//	curl -d '{"_debug":1,"items":[{"price":2,"name":"tea"}]}' localhost:8080
//
// It drops what has a key that begins with "_", adds up what is called "price", turns texts into
// upper case, and sorts the members of objects. A request that needs more memory than the limit is
// answered with 503.
//
// It has two implementations: -memory palloc keeps the tree in a context, and -memory go on Go's
// heap, as a Go program does without palloc. Both are one file, and answer the same.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gopalloc/palloc"
)

// The service: its flags, its handler, and which answer is for which error.
//
// Invariant: nothing of the answer is sent before the whole document was read and changed.
//
// Cost: a buffer of 32 KiB for each request that is served.

// A service reads a document and writes the changed one, in at most limit bytes of memory, as it counts them.
type service func(out *bufio.Writer, body io.Reader, limit int64) error

// services are the implementations by the value of -memory.
var services = map[string]service{"palloc": servePalloc, "go": serveGo}

// errTooLarge is the error of a service that counts what it allocates.
var errTooLarge = errors.New("the document needs too much memory")

func main() {
	memory := flag.String("memory", "palloc", "where documents are: palloc or go")
	limit := flag.Int64("limit", 1024, "KiB of memory for a request")
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; port 0 for any")
	flag.Parse()
	serve := services[*memory]
	if serve == nil || *limit <= 0 || *limit > 1<<20 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(http.Serve(listener, handler(serve, *limit<<10)))
}

// handler answers POST requests.
func handler(serve service, limit int64) http.Handler {
	writers := sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "send a JSON document with POST", http.StatusMethodNotAllowed)
			return
		}
		out := writers.Get().(*bufio.Writer)
		defer func() { out.Reset(nil); writers.Put(out) }()
		w.Header().Set("Content-Type", "application/json")
		out.Reset(w)
		if err := serve(out, http.MaxBytesReader(w, r.Body, limit), limit); err != nil {
			fail(w, err)
			return
		}
		out.Flush()
	})
}

// fail answers a request with an error.
func fail(w http.ResponseWriter, err error) {
	var full *palloc.OutOfMemoryError
	var long *http.MaxBytesError
	if errors.Is(err, errTooLarge) || errors.As(err, &full) || errors.As(err, &long) {
		http.Error(w, errTooLarge.Error(), http.StatusServiceUnavailable)
		return
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}
