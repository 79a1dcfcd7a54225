package palloc_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

// Handlers receive a context.Context anyway. It carries a memory context through layers
// that do not use it to those that do.

// A handler is the function that a server calls for each message.
type handler func(ctx context.Context, message string) error

// withMemory returns a handler that creates a memory context for each message, below that
// of the server, and deletes it after h returns. No goroutine that h starts may use the
// memory context after that.
func withMemory(server palloc.Context, next handler) handler {
	return func(ctx context.Context, message string) error {
		return palloc.Scope(server, "message", func(mc palloc.Context) error {
			return next(palloc.NewGoContext(ctx, mc), message)
		})
	}
}

// logged returns a handler that only passes the context.Context on.
func logged(next handler) handler {
	return func(ctx context.Context, message string) error {
		err := next(ctx, message)
		fmt.Println("handled:", err)
		return err
	}
}

// greet gets the memory context once, at its beginning, and passes it on as a
// palloc.Context: a function that allocates shows it in its parameters.
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

	_ = logged(greet)(context.Background(), "world") // without a memory context
	// Output:
	// Top/server/message: hello, world
	// handled: <nil>
	// nothing is left: true
	// handled: no memory for this message
}
