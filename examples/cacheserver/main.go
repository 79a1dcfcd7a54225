// Command cacheserver is a cache that speaks a part of Redis' protocol, under a limit in bytes:
//
//	go run ./examples/cacheserver -limit 256 &
//	redis-cli -p 6380 set greeting hello ex 60
//	redis-benchmark -p 6380 -t set,get -n 100000 -q
//
// It has two stores for the same commands: -memory palloc keeps keys and values in contexts, and
// -memory go on Go's heap, as a Go program does without palloc. Both are one file.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"
)

// The program: its flags, its listener, and what a store is.
//
// Invariant: a store holds no more than its limit, as it counts: palloc counts what contexts hold, the other what
// keys and values take, with an estimate of what belongs to them.
//
// Cost: a goroutine and two buffers of 64 KiB for each connection.

// A store keeps values by keys within a limit, and drops what it needs the memory of. A deadline is in
// milliseconds since 1970, 0 for none; what is past its deadline is not found. Any goroutine may call
// its methods.
type store interface {
	// get returns the value of a key. It may append it to dst; the caller does not change it.
	get(dst, key []byte) (value []byte, found bool)
	// set copies a key and its value, and reports whether it is there.
	set(key, value []byte, deadline int64) bool
	// remove removes a key, and reports whether it was there.
	remove(key []byte) bool
	// expire changes the deadline of a key that is there, and reports whether it is.
	expire(key []byte, deadline int64) bool
	// deadline returns that of a key that is there.
	deadline(key []byte) (at int64, found bool)
	// size returns the number of keys, also of those past their deadlines, and the bytes that count.
	size() (keys int, bytes int64)
}

// shards is the number of parts of a store, each with a lock of its own.
const shards = 16

// stores are the constructors by the value of -memory; limit is in bytes.
var stores = map[string]func(limit int64) store{"palloc": newPallocStore, "go": newGoStore}

func main() {
	memory := flag.String("memory", "palloc", "where keys and values are: palloc or go")
	limit := flag.Int64("limit", 256, "MiB that the store may hold")
	addr := flag.String("addr", "127.0.0.1:6380", "address to listen on; port 0 for any")
	flag.Parse()
	newStore := stores[*memory]
	if newStore == nil || *limit <= 0 || *limit > 1<<40 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(serve(listener, newServer(newStore, *limit<<20)))
}

// serve serves all connections until the listener fails or is closed, and returns its error. It waits while the
// process has no files for more connections.
func serve(listener net.Listener, s *server) error {
	for {
		c, err := listener.Accept()
		if temporary, ok := err.(interface{ Temporary() bool }); ok && temporary.Temporary() {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		go s.serve(c)
	}
}
