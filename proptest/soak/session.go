package main

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

// Contexts that come and go: sessions that live for a while, and requests.
//
// Invariant: a session belongs to the worker that has it; the channel hands it over.
//
// Cost: some contexts and chunks for each.

// A session is a context that lives for many steps, with chunks.
type session struct {
	mc   palloc.Context
	held []chunk
}

// end verifies and deletes the session.
func (s *session) end(f *floor) {
	for _, c := range s.held {
		f.verify(c)
	}
	s.mc.Delete()
	f.done.contexts.Add(1)
}

// session begins a session, or ends one of many.
func (w *worker) session() {
	if n := len(w.sessions); n > 0 && w.r.IntN(300) < n {
		i := w.r.IntN(n)
		s := w.sessions[i]
		w.sessions[i] = w.sessions[n-1]
		w.sessions = w.sessions[:n-1]
		w.part(s)
		return
	}
	s := &session{mc: palloc.NewAllocSet(w.root, "session")}
	w.sessions = append(w.sessions, s)
	for range w.r.IntN(20) {
		if b, err := tryBytes(s.mc, w.r.IntN(600)); err == nil {
			s.held = append(s.held, newChunk(b, w.r.Uint64()))
		}
	}
}

// part ends a session, or hands it to another worker.
func (w *worker) part(s *session) {
	if w.r.IntN(2) == 0 {
		s.mc.SetParent(w.top)
		select {
		case w.whole <- s:
			w.done.handed.Add(1)
			return
		default: // enough of them are under way
		}
	}
	s.end(w.floor)
}

// exchange sends a chunk of the shared context, and frees what others sent.
func (w *worker) exchange() {
	if b, err := tryBytes(w.shared, w.size()); err == nil {
		select {
		case w.chunks <- newChunk(b, w.r.Uint64()):
		default:
			palloc.FreeSlice(b)
		}
	}
	for range 2 {
		select {
		case c := <-w.chunks:
			w.verify(c)
			palloc.FreeSlice(c.bytes)
		case s := <-w.whole:
			s.end(w.floor)
		default:
		}
	}
}

// A row is what requests collect.
type row struct{ id, square uint64 }

// request does what a server does for a request: rows in a Bump, a text in a Buffer, both
// below a context that ends with it. Its slices grow to some hundred KiB.
func (w *worker) request() {
	err := palloc.Scope(w.root, "request", func(mc palloc.Context) error {
		rows, err := w.rows(palloc.NewBump(mc, "rows"), w.r.IntN(16<<w.r.IntN(10)))
		if err != nil {
			return err
		}
		name := palloc.CloneString(mc, "a request of some rows")
		text := palloc.NewBuffer(mc)
		for _, r := range rows[:min(len(rows), 200)] {
			if _, err := fmt.Fprintf(text, "%s: %d %d\n", name, r.id, r.square); err != nil {
				return err
			}
		}
		return nil
	})
	w.done.contexts.Add(2)
	if short := new(palloc.OutOfMemoryError); err != nil && !errors.As(err, &short) {
		w.fail(err)
	}
}

// rows makes n rows and compares them.
func (w *worker) rows(mc palloc.Context, n int) (rows []row, err error) {
	for i := range uint64(n) {
		if rows, err = palloc.TryAppend(mc, rows, row{i, i * i}); err != nil {
			return nil, err
		}
	}
	for i, r := range rows {
		if r.id != uint64(i) || r.square != r.id*r.id {
			return nil, fmt.Errorf("row %d is %v", i, r)
		}
	}
	return rows, nil
}
