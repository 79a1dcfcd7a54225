package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
)

// The load of the HTTP service: one document of some 20 kB, again and again, over a number of connections.
//
// Invariant: all answers are the same.
//
// Cost: a buffer for each connection.

const webConnections = 16

// loadWeb sends documents, and returns a digest of the answer.
func loadWeb(addr string, small bool) (digest string, err error) {
	requests := 250 // for each connection
	if small {
		requests = 10
	}
	document := makeDocument()
	want, err := exchange(addr, document, 1, nil)
	if err != nil {
		return "", err
	}
	errs := make([]error, webConnections)
	var wg sync.WaitGroup
	for i := range webConnections {
		wg.Go(func() { _, errs[i] = exchange(addr, document, requests, want) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return digestOf(bytes.NewReader(want))
}

// exchange posts a document a number of times over a connection, and returns the last answer. Each is what is wanted,
// unless that is nil.
func exchange(addr string, document []byte, times int, want []byte) (answer []byte, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	client := &http.Client{Transport: &http.Transport{
		Dial:               func(string, string) (net.Conn, error) { return c, nil },
		DisableCompression: true,
	}}
	var buf bytes.Buffer
	for range times {
		response, err := client.Post("http://"+addr, "application/json", bytes.NewReader(document))
		if err != nil {
			return nil, err
		}
		buf.Reset()
		_, err = io.Copy(&buf, response.Body)
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK || want != nil && !bytes.Equal(buf.Bytes(), want) {
			return nil, fmt.Errorf("answer %s with %d bytes: %.200q", response.Status, buf.Len(), buf.Bytes())
		}
	}
	return buf.Bytes(), nil
}

// makeDocument returns a list of articles as JSON.
func makeDocument() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"green", "teapot", "with", "handle", "for", "six", "cups", "porcelain", "of", "blue", "wood", "large", "round", "and"}
	text := func(n int) (s string) {
		for range n {
			s += words[r.IntN(len(words))] + " "
		}
		return s + "."
	}
	var b bytes.Buffer
	b.WriteString(`{"_trace": "5d1f", "items": [`)
	for i := 0; b.Len() < 20_000; i++ {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n {\"id\": %d, \"name\": %q, \"about\": %q, \"price\": %d.%02d, \"stock\": %d, \"tags\": [%q, %q], \"_version\": {\"by\": %q, \"n\": %d}, \"size\": {\"width\": %d, \"height\": %d}}",
			100_000+i, text(3), text(9), r.IntN(1000), r.IntN(100), r.IntN(500), text(1), text(1), text(1), i, r.IntN(100), r.IntN(100))
	}
	b.WriteString("\n], \"next\": null}\n")
	return b.Bytes()
}
