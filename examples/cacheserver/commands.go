package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// The commands, which are the same for both stores, and their replies, which are Redis' own.
//
// Invariant: a command that is refused changes nothing, and the connection goes on.
//
// Cost: a search in a map by the command's name, and that of the store.

// A server has a store and serves connections.
type server struct {
	store store
	limit int64
}

func newServer(newStore func(int64) store, limit int64) *server {
	return &server{newStore(limit), limit}
}

// A session is a connection that is served.
type session struct {
	*server
	*wire
	name  []byte // of the command, in upper case
	value []byte // what get may append to
}

// A command has the least number of arguments with its name, the greatest, and what it does.
type command struct {
	least, most int
	run         func(s *session, args [][]byte)
}

// commands are those that are known, by their names.
var commands = map[string]command{
	"PING":    {1, 2, (*session).ping},
	"ECHO":    {2, 2, func(s *session, args [][]byte) { s.bulk(args[1]) }},
	"SELECT":  {2, 2, func(s *session, _ [][]byte) { s.simple("OK") }},
	"COMMAND": {1, maxArgs, func(s *session, _ [][]byte) { s.array(0) }},
	"CONFIG":  {2, 3, (*session).config},
	"INFO":    {1, maxArgs, (*session).info},
	"DBSIZE":  {1, 1, func(s *session, _ [][]byte) { n, _ := s.store.size(); s.integer(int64(n)) }},
	"GET":     {2, 2, (*session).getValue},
	"SET":     {3, 5, (*session).setValue},
	"DEL":     {2, maxArgs, func(s *session, args [][]byte) { s.count(args, s.store.remove) }},
	"EXISTS":  {2, maxArgs, func(s *session, args [][]byte) { s.count(args, s.exists) }},
	"EXPIRE":  {3, 3, func(s *session, args [][]byte) { s.expire(args, time.Second) }},
	"PEXPIRE": {3, 3, func(s *session, args [][]byte) { s.expire(args, time.Millisecond) }},
	"TTL":     {2, 2, func(s *session, args [][]byte) { s.left(args, time.Second) }},
	"PTTL":    {2, 2, func(s *session, args [][]byte) { s.left(args, time.Millisecond) }},
}

// serve answers the commands of a connection until it ends.
func (s *server) serve(c net.Conn) {
	defer c.Close()
	w := &session{server: s, wire: newWire(c)}
	for {
		args, err := w.read()
		if errors.Is(err, errProtocol) {
			w.fail(err.Error())
			w.out.Flush()
		}
		if err != nil {
			return
		}
		if len(args) == 0 {
			continue
		}
		w.name = append(w.name[:0], args[0]...)
		upper(w.name)
		if string(w.name) == "QUIT" {
			w.simple("OK")
			w.out.Flush()
			return
		}
		w.execute(args)
	}
}

// upper changes ASCII letters.
func upper(b []byte) {
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
}

func (s *session) execute(args [][]byte) {
	c, known := commands[string(s.name)]
	switch {
	case !known:
		s.fail(fmt.Sprintf("ERR unknown command '%.64s'", bytes.Map(printable, args[0])))
	case len(args) < c.least || len(args) > c.most:
		s.fail("ERR wrong number of arguments for '" + strings.ToLower(string(s.name)) + "' command")
	default:
		c.run(s, args)
	}
}

// printable replaces what ends a reply.
func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

func (s *session) ping(args [][]byte) {
	if len(args) == 2 {
		s.bulk(args[1])
		return
	}
	s.simple("PONG")
}

// config answers what redis-benchmark asks for.
func (s *session) config(args [][]byte) {
	if len(args) != 3 {
		s.simple("OK")
		return
	}
	s.array(2)
	s.bulk(args[2])
	s.bulk(nil)
}

func (s *session) info([][]byte) {
	keys, held := s.store.size()
	s.bulk(fmt.Appendf(nil, "# Memory\r\nused_memory:%d\r\nmaxmemory:%d\r\n# Keyspace\r\ndb0:keys=%d\r\n", held, s.limit, keys))
}

func (s *session) getValue(args [][]byte) {
	value, found := s.store.get(s.value[:0], args[1])
	if !found {
		s.null()
		return
	}
	s.bulk(value)
	if cap(s.value) == 0 {
		s.value = make([]byte, 0, bufBytes) // a longer value makes garbage
	}
}

func (s *session) setValue(args [][]byte) {
	deadline := int64(0)
	if len(args) > 3 {
		unit := time.Second
		switch strings.ToUpper(string(args[3])) {
		case "PX":
			unit = time.Millisecond
		case "EX":
		default:
			s.fail("ERR syntax error")
			return
		}
		if len(args) == 4 {
			s.fail("ERR syntax error")
			return
		}
		at, ok := s.after(args[4], unit)
		if !ok {
			return
		}
		if at <= now() {
			s.fail("ERR invalid expire time in 'set' command")
			return
		}
		deadline = at
	}
	if int64(len(args[1])+len(args[2])) > s.limit/(4*shards) || !s.store.set(args[1], args[2], deadline) {
		s.fail("OOM command not allowed when used memory > 'maxmemory'.")
		return
	}
	s.simple("OK")
}

// count replies for how many keys the function is true.
func (s *session) count(args [][]byte, of func(key []byte) bool) {
	n := int64(0)
	for _, key := range args[1:] {
		if of(key) {
			n++
		}
	}
	s.integer(n)
}

func (s *session) exists(key []byte) bool {
	_, found := s.store.deadline(key)
	return found
}

func (s *session) expire(args [][]byte, unit time.Duration) {
	at, ok := s.after(args[2], unit)
	switch {
	case !ok:
	case at <= now():
		s.count(args[:2], s.store.remove)
	default:
		s.count(args[:2], func(key []byte) bool { return s.store.expire(key, at) })
	}
}

// left replies how long a key has; -1 for ever, -2 when there is no such key.
func (s *session) left(args [][]byte, unit time.Duration) {
	at, found := s.store.deadline(args[1])
	switch {
	case !found:
		s.integer(-2)
	case at == 0:
		s.integer(-1)
	default:
		per := unit.Milliseconds()
		s.integer((max(at-now(), 0) + per/2) / per)
	}
}

// now returns the time in milliseconds since 1970.
func now() int64 { return time.Now().UnixMilli() }

// expired reports whether a deadline is past.
func expired(deadline int64) bool { return deadline != 0 && deadline <= now() }

// after returns the time that is as many units from now as the argument says; if that is no such number, it replies so.
func (s *session) after(arg []byte, unit time.Duration) (at int64, ok bool) {
	n, err := strconv.ParseInt(string(arg), 10, 64)
	if per := unit.Milliseconds(); err == nil && n > math.MinInt64/per/2 && n < math.MaxInt64/per/2 {
		return now() + n*per, true
	}
	s.fail("ERR value is not an integer or out of range")
	return 0, false
}
