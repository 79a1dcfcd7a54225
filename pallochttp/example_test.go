package pallochttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/pallochttp"
)

// Each request has a context with a limit of 1 MiB, and all of them together have 64 MiB.
func Example() {
	server := palloc.NewAllocSet(palloc.Top(), "server")
	defer server.Delete()
	server.SetLimit(64 << 20)

	mux := http.NewServeMux()
	mux.HandleFunc("/rows/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n < 0 {
			http.Error(w, "a number of rows is asked for", http.StatusBadRequest)
			return
		}
		rows := palloc.MakeSlice[[16]byte](pallochttp.Context(r), n, n)
		fmt.Fprint(w, len(rows), " rows")
	})
	handler := pallochttp.Handler(server, 1<<20, mux,
		pallochttp.With(palloc.OfKind(palloc.KindBump)),
		pallochttp.OnRefusal(func(r *http.Request, err *palloc.OutOfMemoryError) {
			fmt.Println("refused:", r.URL.Path, "by the limit of", err.LimitedBy)
		}))

	for _, path := range []string{"/rows/1000", "/rows/1000000"} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		fmt.Println(answer.Code, strings.TrimSpace(answer.Body.String()))
	}
	fmt.Println("nothing is left:", server.IsEmpty())
	// Output:
	// 200 1000 rows
	// refused: /rows/1000000 by the limit of Top/server/request
	// 503 the request needs too much memory
	// nothing is left: true
}
