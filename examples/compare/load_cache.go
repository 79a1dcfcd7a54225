package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The load of the cache server: all keys are set, then all are set again to other values, then some are
// read and some set.
//
// Invariant: each connection has keys of its own, so that each reply is known.
//
// Cost: little memory, since commands are sent in batches whose replies are read at once.

const (
	connections = 8
	batch       = 32
	leastValue  = 100
	mostValue   = 2000
)

// loadCache fills a server and uses it.
func loadCache(addr string, small bool) (digest string, err error) {
	keys, more := 25_000, 50_000 // for each connection
	if small {
		keys, more = 500, 500
	}
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { errs[i] = useCache(addr, i, keys, more) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return "", nil // every reply was checked
}

// A cacheClient is a connection with the size of the value of each key.
type cacheClient struct {
	in     *bufio.Reader
	out    *bufio.Writer
	number int
	sizes  []int
	value  []byte
	text   []byte
	random *rand.Rand
}

func useCache(addr string, number, keys, more int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(uint64(number), 1))
	client := &cacheClient{bufio.NewReaderSize(c, 64<<10), bufio.NewWriterSize(c, 64<<10), number, make([]int, keys), make([]byte, mostValue), nil, r}
	for i := range client.value {
		client.value[i] = 'a' + byte(r.IntN(26))
	}
	for range 2 {
		if err := client.batches(keys, func(n int) (int, bool) { return n, true }); err != nil {
			return err
		}
	}
	return client.batches(more, func(int) (int, bool) { return r.IntN(keys), r.IntN(5) == 0 })
}

// batches sends n commands; each is of a key, and sets it or reads it.
func (c *cacheClient) batches(n int, next func(n int) (key int, set bool)) error {
	var want [batch]int // the size of a value that is read; -1 for one that is set
	for done := 0; done < n; done += batch {
		now := min(batch, n-done)
		for i := range now {
			key, set := next(done + i)
			if want[i] = c.sizes[key]; set {
				c.sizes[key] = leastValue + c.random.IntN(mostValue-leastValue)
				want[i] = -1
			}
			c.send(key, set)
		}
		if err := c.out.Flush(); err != nil {
			return err
		}
		for i := range now {
			if err := c.receive(want[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cacheClient) send(key int, set bool) {
	c.text = strconv.AppendInt(append(strconv.AppendInt(c.text[:0], int64(c.number), 10), ':'), int64(key), 10)
	if !set {
		fmt.Fprintf(c.out, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(c.text), c.text)
		return
	}
	value := c.value[:c.sizes[key]]
	fmt.Fprintf(c.out, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", len(c.text), c.text, len(value))
	c.out.Write(value)
	c.out.WriteString("\r\n")
}

// receive reads a reply, and compares it with what is known.
func (c *cacheClient) receive(size int) error {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if size < 0 {
		if string(line) != "+OK\r\n" {
			return fmt.Errorf("SET is answered with %q", line)
		}
		return nil
	}
	if string(line) != fmt.Sprintf("$%d\r\n", size) {
		return fmt.Errorf("GET is answered with %q instead of %d bytes", line, size)
	}
	for left := size + 2; left > 0; {
		b, err := c.in.Peek(min(left, c.in.Size()))
		if err != nil {
			return err
		}
		if at := size + 2 - left; at < size && string(b[:min(len(b), size-at)]) != string(c.value[at:min(at+len(b), size)]) {
			return io.ErrUnexpectedEOF
		}
		c.in.Discard(len(b))
		left -= len(b)
	}
	return nil
}
