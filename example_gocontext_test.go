package palloc_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

// Handlers are given a context.Context anyway: a memory context travels in it through
// layers that know nothing of memory, to those that do.

// handler is what a server calls for each message.
type handler func(ctx context.Context, message string) error

// withMemory is a layer around a handler: each message has a memory context below
// that of the server, which is deleted when the handler returned. The handler must
// not leave anything running that still uses it.
func withMemory(server palloc.Context, next handler) handler {
	return func(ctx context.Context, message string) error {
		return palloc.Scope(server, "message", func(mc palloc.Context) error {
			return next(palloc.NewGoContext(ctx, mc), message)
		})
	}
}

// logged is a layer that only passes the context.Context on.
func logged(next handler) handler {
	return func(ctx context.Context, message string) error {
		err := next(ctx, message)
		fmt.Println("handled:", err)
		return err
	}
}

// greet takes the memory context out once, at its beginning, and passes it on as
// itself: what allocates says so in its parameters.
func greet(ctx context.Context, name string) error {
	mc, ok := palloc.FromGoContext(ctx)
	if !ok {
		return errors.New("no memory for this message")
	}
	fmt.Println(mc.Path()+":", greeting(mc, name))
	return ctx.Err()
}

func greeting(mc palloc.Context, name string) string {
	return palloc.Sprintf(mc, "hello, %s", name)
}

// A memory context carried by a context.Context through the layers of a handler.
func ExampleNewGoContext() {
	server := palloc.NewAllocSet(palloc.Top(), "server")
	defer server.Delete()

	handle := logged(withMemory(server, greet))
	_ = handle(context.Background(), "world")
	fmt.Println("nothing is left:", server.IsEmpty())

	_ = logged(greet)(context.Background(), "world") // nobody gave it memory
	// Output:
	// Top/server/message: hello, world
	// handled: <nil>
	// nothing is left: true
	// handled: no memory for this message
}
