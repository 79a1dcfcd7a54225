package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
)

// The input: customers, which are made as they are read, and orders in a CSV file.
//
// Invariant: the same seed and numbers give the same customers and orders.
//
// Cost: no garbage for each customer and order.

// A customer has a discount, in percent.
type customer struct {
	id       uint32
	discount int64
	name     []byte // valid until the next one
}

// A row is an order without its note. A day is such as 20250131.
type row struct {
	order    int64
	customer uint32
	day      int32
	cents    int64
}

// An input has customers and orders.
type input struct {
	count int // of customers
	seed  uint64
	lines *bufio.Reader
	err   error // that ended the orders
}

// customers returns all customers.
func (in *input) customers() iter.Seq[customer] {
	return func(yield func(customer) bool) {
		r := rand.New(rand.NewPCG(in.seed, 1))
		var name []byte
		for id := range uint32(in.count) {
			name = fmt.Appendf(name[:0], "%s %s %d", words[r.IntN(len(words))], words[r.IntN(len(words))], id)
			if !yield(customer{id, r.Int64N(20), name}) {
				return
			}
		}
	}
}

var words = []string{
	"please", "deliver", "behind", "the", "green", "door", "before", "noon", "call", "neighbour", "gift", "fragile",
	"leave", "with", "janitor", "ring", "twice", "invoice", "later", "urgent", "upstairs", "garden", "letter", "no",
}

// writeOrders makes the file of the orders.
func (in *input) writeOrders(name string, orders int) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	w, r := bufio.NewWriterSize(file, 256<<10), rand.New(rand.NewPCG(in.seed, 2))
	for n := range orders {
		customer := r.IntN(in.count + in.count/50) // some of customers that are not there
		day := 20240000 + r.IntN(2)*10000 + (1+r.IntN(12))*100 + 1 + r.IntN(28)
		fmt.Fprintf(w, "%d,%d,%d,%d,", n, customer, day, 100+r.IntN(1_000_000))
		for range 7 + r.IntN(9) {
			w.WriteString(words[r.IntN(len(words))])
			w.WriteByte(' ')
		}
		w.WriteString(".\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

// orders returns the orders with their notes, each valid until the next one. The loop ends at the first
// error, which is in.err then.
func (in *input) orders() iter.Seq2[row, []byte] {
	return func(yield func(row, []byte) bool) {
		for {
			line, err := in.lines.ReadSlice('\n')
			switch {
			case len(line) > 0 && err != nil:
				in.err = fmt.Errorf("the orders end within a line: %w", err)
				return
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				in.err = err
				return
			}
			r, note, err := parse(line[:len(line)-1])
			if err != nil {
				in.err = err
				return
			}
			if !yield(r, note) {
				return
			}
		}
	}
}

// parse returns the order of a line.
func parse(line []byte) (r row, note []byte, err error) {
	var fields [4]int64
	note = line
	for i := range fields {
		n := 0
		for ; n < len(note) && '0' <= note[n] && note[n] <= '9'; n++ {
			fields[i] = fields[i]*10 + int64(note[n]-'0')
		}
		if n == 0 || n > maxDigits || n == len(note) || note[n] != ',' {
			return row{}, nil, fmt.Errorf("no order: %.100q", line)
		}
		note = note[n+1:]
	}
	if fields[1] > math.MaxUint32 || fields[2] > math.MaxInt32 {
		return row{}, nil, fmt.Errorf("no order: %.100q", line)
	}
	return row{fields[0], uint32(fields[1]), int32(fields[2]), fields[3]}, note, nil
}

const maxDigits = 18 // of a number
