package palloc_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gopalloc/palloc"
)

// A server has a context that lives as long as itself, and below that one for each request.
// A request frees nothing: Scope deletes its context, whether the handler returns, fails,
// or runs out of memory.

// A header is a line of a request. It points to strings in the request's context, which
// live as long as it does. NoHeapPointers declares this.
type header struct {
	palloc.NoHeapPointers
	name, value string
}

// parse copies the request into the context, since the next request overwrites the
// network's buffer.
func parse(request palloc.Context, text string) ([]header, error) {
	var headers []header
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found {
			return nil, errors.New("no header: " + name)
		}
		headers = palloc.Append(request, headers, header{
			name:  palloc.CloneString(request, name),
			value: palloc.CloneString(request, value),
		})
	}
	return headers, nil
}

// serve handles one request, in a context of its own with a limit. Its result lies on Go's
// heap, since it outlives the request.
func serve(server palloc.Context, text string) (answer string, err error) {
	err = palloc.Scope(server, "request", func(request palloc.Context) error {
		request.SetLimit(64 << 10)
		headers, err := parse(request, text)
		if err != nil {
			return err
		}
		reply := palloc.NewBuffer(request)
		for _, h := range headers {
			fmt.Fprintf(reply, "[%s=%s]", h.name, h.value)
		}
		answer = strings.Clone(reply.String())
		return nil
	})
	return answer, err
}

// A context for each request: the end of the request releases all its memory.
func Example_request() {
	server := palloc.NewAllocSet(palloc.Top(), "server")
	defer server.Delete()

	fmt.Println(serve(server, "Host: example.org\nAccept: text/plain\n"))
	fmt.Println(serve(server, "nonsense"))

	_, err := serve(server, "Cookie: "+strings.Repeat("x", 100_000))
	var ranOut *palloc.OutOfMemoryError
	fmt.Println("ran out of memory:", errors.As(err, &ranOut))

	fmt.Println("nothing is left:", server.IsEmpty())
	// Output:
	// [Host=example.org][Accept=text/plain] <nil>
	//  no header: nonsense
	// ran out of memory: true
	// nothing is left: true
}
