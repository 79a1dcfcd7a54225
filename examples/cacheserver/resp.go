package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
)

// Redis' protocol, version 2: arrays of bulk strings or lines of words come in, replies of five types go out.
//
// Invariant: the arguments of a command are valid until the next one is read.
//
// Cost: an argument is copied once from the connection's buffer; no garbage.

const (
	maxArgs  = 1 << 10  // of a command
	maxBytes = 64 << 20 // of all arguments of a command
	bufBytes = 64 << 10
)

// errProtocol ends a connection that does not speak the protocol.
var errProtocol = errors.New("ERR Protocol error")

// A wire reads commands and writes replies.
type wire struct {
	in   *bufio.Reader
	out  *bufio.Writer
	args [][]byte
	data []byte // of the arguments
	text []byte // a number that is written
}

func newWire(c io.ReadWriter) *wire {
	out := bufio.NewWriterSize(c, bufBytes)
	return &wire{in: bufio.NewReaderSize(&flusher{c, out}, bufBytes), out: out}
}

// A flusher sends the replies before it reads, which may wait.
type flusher struct {
	in  io.Reader
	out *bufio.Writer
}

func (f *flusher) Read(b []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.in.Read(b)
}

// read returns the next command, without arguments for an empty line. Before it waits for the client, it sends the
// replies.
func (w *wire) read() ([][]byte, error) {
	if cap(w.data) > bufBytes {
		w.data = nil // that of a large command is not kept
	}
	w.args, w.data = w.args[:0], w.data[:0]
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	if len(line) == 0 || line[0] != '*' {
		w.data = append(w.data, line...)
		w.args = append(w.args, bytes.Fields(w.data)...)
		return w.args, nil
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n > maxArgs {
		return nil, errProtocol
	}
	for range n {
		if err := w.argument(); err != nil {
			return nil, err
		}
	}
	return w.args, nil
}

// argument reads a bulk string.
func (w *wire) argument() error {
	line, err := w.line()
	if err != nil {
		return err
	}
	if len(line) == 0 || line[0] != '$' {
		return errProtocol
	}
	n, err := strconv.Atoi(string(line[1:]))
	start := len(w.data)
	if err != nil || n < 0 || n > maxBytes-start {
		return errProtocol
	}
	w.data = slices.Grow(w.data, n+2)[:start+n+2]
	if _, err := io.ReadFull(w.in, w.data[start:]); err != nil {
		return err
	}
	w.args = append(w.args, w.data[start:start+n:start+n])
	return nil
}

// line reads a line without its end, which is valid until the next read.
func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errProtocol
	}
	return bytes.TrimRight(line, "\r\n"), err
}

func (w *wire) head(kind byte, n int64) {
	w.text = strconv.AppendInt(append(w.text[:0], kind), n, 10)
	w.out.Write(append(w.text, "\r\n"...))
}

func (w *wire) integer(n int64) { w.head(':', n) }
func (w *wire) array(n int)     { w.head('*', int64(n)) }

func (w *wire) bulk(b []byte) {
	w.head('$', int64(len(b)))
	w.out.Write(b)
	w.out.WriteString("\r\n")
}

func (w *wire) null() { w.out.WriteString("$-1\r\n") }

func (w *wire) simple(s string) {
	w.out.WriteByte('+')
	w.out.WriteString(s)
	w.out.WriteString("\r\n")
}

func (w *wire) fail(s string) {
	w.out.WriteByte('-')
	w.out.WriteString(s)
	w.out.WriteString("\r\n")
}
