package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Both stores give the same replies, which are Redis' own; stay below their limits; and serve real clients.

// newTested returns a server with a store of a kind, whose contexts end with the test.
func newTested(t *testing.T, memory string, limit int64) *server {
	s := newServer(stores[memory], limit)
	if p, ok := s.store.(pallocStore); ok {
		t.Cleanup(func() {
			if err := p.Context().Check(); err != nil {
				t.Error(err)
			}
			p.Context().Delete()
		})
	}
	return s
}

// talk sends what a client sends, then QUIT, and returns all replies.
func talk(t *testing.T, s *server, sent string) string {
	t.Helper()
	client, end := net.Pipe()
	go s.serve(end)
	go io.WriteString(client, sent+"QUIT\r\n")
	replies, err := io.ReadAll(client)
	if err != nil {
		t.Fatal(err)
	}
	return string(replies)
}

// array is a command as clients send it.
func array(words ...string) string {
	s := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		s += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	return s
}

var script = []struct{ sent, want string }{
	{"PING\r\n", "+PONG\r\n"},
	{"\r\n  ping   hello \n", "$5\r\nhello\r\n"},
	{array("ping"), "+PONG\r\n"},
	{array("GET", "a"), "$-1\r\n"},
	{array("SET", "a", "1\r\n2\x00"), "+OK\r\n"},
	{array("GET", "a"), "$5\r\n1\r\n2\x00\r\n"},
	{array("TTL", "a") + array("TTL", "b"), ":-1\r\n:-2\r\n"},
	{array("EXPIRE", "a", "100") + array("TTL", "a") + array("GET", "a"), ":1\r\n:100\r\n$5\r\n1\r\n2\x00\r\n"},
	{array("SET", "a", "", "EX", "10") + array("ttl", "a") + array("get", "a"), "+OK\r\n:10\r\n$0\r\n\r\n"},
	{array("SET", "a", "x") + array("TTL", "a"), "+OK\r\n:-1\r\n"},
	{array("SET", "", "empty") + array("GET", ""), "+OK\r\n$5\r\nempty\r\n"},
	{array("EXISTS", "a", "a", "", "b") + "DBSIZE\n", ":3\r\n:2\r\n"},
	{array("EXPIRE", "b", "1") + array("EXPIRE", "", "-1") + array("EXISTS", ""), ":0\r\n:1\r\n:0\r\n"},
	{array("DEL", "a", "b", "a") + "dbsize\r\n", ":1\r\n:0\r\n"},
	{array("SET", "a"), "-ERR wrong number of arguments for 'set' command\r\n"},
	{array("SET", "a", "b", "XX"), "-ERR syntax error\r\n"},
	{array("SET", "a", "b", "EX"), "-ERR syntax error\r\n"},
	{array("SET", "a", "b", "EX", "x"), "-ERR value is not an integer or out of range\r\n"},
	{array("SET", "a", "b", "EX", "9223372036854775807"), "-ERR value is not an integer or out of range\r\n"},
	{array("SET", "a", "b", "EX", "0"), "-ERR invalid expire time in 'set' command\r\n"},
	{array("NO\nSUCH"), "-ERR unknown command 'NO SUCH'\r\n"},
	{array("SET", "large", strings.Repeat("x", 1<<20)), "-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
	{array("GET", "a"), "$-1\r\n"},
	{array("CONFIG", "GET", "save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
	{"*-1\r\n*0\r\nCOMMAND DOCS\r\n", "*0\r\n"},
}

func TestRepliesAreThoseOfRedis(t *testing.T) {
	for memory := range stores {
		t.Run(memory, func(t *testing.T) {
			s := newTested(t, memory, 16<<20)
			for _, step := range script {
				if got, want := talk(t, s, step.sent), step.want+"+OK\r\n"; got != want {
					t.Errorf("%.80q is answered with %.80q instead of %.80q", step.sent, got, want)
				}
			}
			for _, bad := range []string{"*1\r\n:1\r\n", "*x\r\n", "*1\r\n$-1\r\n", "*1\r\n$999999999\r\n", strings.Repeat("x", 2*bufBytes) + "\r\n"} {
				if got := talk(t, s, bad); got != "-ERR Protocol error\r\n" {
					t.Errorf("%.20q is answered with %q", bad, got)
				}
			}
		})
	}
}

func TestKeysExpire(t *testing.T) {
	for memory := range stores {
		t.Run(memory, func(t *testing.T) {
			s := newTested(t, memory, 16<<20)
			s.store.set([]byte("k"), []byte("v"), now()+20)
			exists := func() bool { _, found := s.store.deadline([]byte("k")); return found }
			for begin := time.Now(); exists(); time.Sleep(time.Millisecond) {
				if time.Since(begin) > 10*time.Second {
					t.Fatal("it never expires")
				}
			}
			if _, found := s.store.get(nil, []byte("k")); found || s.store.remove([]byte("k")) || s.store.expire([]byte("k"), now()+1000) {
				t.Error("it is there after it expired")
			}
			if keys, _ := s.store.size(); keys != 0 {
				t.Errorf("%d keys stay", keys)
			}
		})
	}
}

// TestStoresAnswerAlike gives both stores the same random commands, in much less than their limits.
func TestStoresAnswerAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var sent strings.Builder
	for range 5000 {
		key := strconv.Itoa(r.IntN(300))
		switch r.IntN(8) {
		case 0:
			sent.WriteString(array("DEL", key, strconv.Itoa(r.IntN(300))))
		case 1:
			sent.WriteString(array("EXPIRE", key, strconv.Itoa(r.IntN(100)*100-100)))
		case 2:
			sent.WriteString(array("EXISTS", key, key) + "DBSIZE\r\n")
		case 3, 4:
			sent.WriteString(array("SET", key, strings.Repeat(key, r.IntN(200))))
		default:
			sent.WriteString(array("GET", key))
		}
	}
	inContexts, onHeap := talk(t, newTested(t, "palloc", 32<<20), sent.String()), talk(t, newTested(t, "go", 32<<20), sent.String())
	if inContexts != onHeap {
		t.Error("the replies differ")
	}
	if n := strings.Count(onHeap, "\r\n"); n < 5000 {
		t.Errorf("%d lines of replies", n)
	}
}

// TestStoresStayBelowTheirLimits sets six times what is allowed, from several goroutines. None is refused.
func TestStoresStayBelowTheirLimits(t *testing.T) {
	const limit, goroutines, each = 2 << 20, 4, 3000
	for memory := range stores {
		t.Run(memory, func(t *testing.T) {
			s := newTested(t, memory, limit)
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					var dst []byte
					for i := range each {
						key := fmt.Appendf(nil, "%d-%d", g, i)
						value := append(bytes.Repeat([]byte{'v'}, 100+i*7%1800), key...)
						if !s.store.set(key, value, 0) {
							t.Errorf("%s is refused", key)
							return
						}
						got, found := s.store.get(dst[:0], key)
						if found && !bytes.Equal(got, value) {
							t.Errorf("%s has %q", key, got)
							return
						}
					}
				})
			}
			wg.Wait()
			keys, held := s.store.size()
			if held > limit || keys < limit/4000 || keys > limit/500 {
				t.Errorf("%d keys, %d bytes", keys, held)
			}
			t.Log(keys, "keys,", held, "bytes")
		})
	}
}

// TestAKeyInUseStays reads one key while others fill the store many times over.
func TestAKeyInUseStays(t *testing.T) {
	for memory := range stores {
		t.Run(memory, func(t *testing.T) {
			s := newTested(t, memory, 1<<20).store
			s.set([]byte("used"), []byte("value"), 0)
			for i := range 10_000 {
				s.set(strconv.AppendInt(nil, int64(i), 10), make([]byte, 500), 0)
				if value, found := s.get(nil, []byte("used")); !found || string(value) != "value" {
					t.Fatalf("it is gone after %d others", i)
				}
			}
			if keys, _ := s.size(); keys > 2500 {
				t.Errorf("%d keys stay, so that none had to go", keys)
			}
		})
	}
}

// TestRealClients lets redis-cli and redis-benchmark speak to a server of each kind.
func TestRealClients(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts other programs")
	}
	for _, tool := range []string{"redis-cli", "redis-benchmark"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("Debian's package redis-tools is not installed: ", err)
		}
	}
	for memory := range stores {
		t.Run(memory, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Skip("no port: ", err)
			}
			defer listener.Close()
			go serve(listener, newTested(t, memory, 8<<20))
			_, port, _ := net.SplitHostPort(listener.Addr().String())
			run := func(tool string, args ...string) string {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				out, err := exec.CommandContext(ctx, tool, append([]string{"-p", port}, args...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
				}
				return string(out)
			}
			for _, c := range []struct{ words, want string }{
				{"set greeting hello ex 60", "OK\n"}, {"get greeting", "hello\n"}, {"ttl greeting", "60\n"},
				{"exists greeting", "1\n"}, {"del greeting", "1\n"}, {"get greeting", "\n"}, {"dbsize", "0\n"}, {"ping", "PONG\n"},
			} {
				if got := run("redis-cli", strings.Fields(c.words)...); got != c.want {
					t.Errorf("redis-cli %s prints %q instead of %q", c.words, got, c.want)
				}
			}
			out := run("redis-benchmark", "-t", "ping,set,get", "-n", "5000", "-r", "100000", "-d", "1000", "-c", "8", "-P", "4", "--csv")
			lines := 0
			for scanner := bufio.NewScanner(strings.NewReader(out)); scanner.Scan(); lines++ {
				if strings.Contains(strings.ToLower(scanner.Text()), "err") {
					t.Error(scanner.Text())
				}
			}
			if lines < 5 || !strings.Contains(out, `"GET"`) {
				t.Errorf("redis-benchmark prints\n%s", out)
			}
			if info := run("redis-cli", "info"); !strings.Contains(info, "used_memory:") || strings.Contains(info, "keys=0") {
				t.Errorf("info is %q", info)
			}
		})
	}
}

// TestTheStoreIsInItsContext fails when the store keeps memory in another context than its own.
func TestTheStoreIsInItsContext(t *testing.T) {
	s := newPallocStore(1 << 20).(pallocStore)
	s.set([]byte("k"), make([]byte, 10_000), 0)
	if held := s.Context().TreeHeld(); held < 10_000 {
		t.Errorf("%d bytes are held", held)
	}
	before := len(palloc.TakeSnapshot(palloc.Top()).Rows)
	s.Context().Delete()
	if after := len(palloc.TakeSnapshot(palloc.Top()).Rows); after != before-1-3*shards {
		t.Errorf("of %d contexts %d stay", before, after)
	}
}

// TestRepliesDoNotWaitForTheNextCommand: a client may send half of one, wait for the reply to the last, and hang up.
func TestRepliesDoNotWaitForTheNextCommand(t *testing.T) {
	s := newTested(t, "go", 1<<20)
	for _, half := range []string{"PI", "*1\r\n", "*1\r\n$4\r\n", "*1\r\n$4\r\nPI", "*1\r\n$4\r\nPING\r"} {
		client, end := net.Pipe()
		go s.serve(end)
		go io.WriteString(client, "PING\r\n"+half)
		reply := make([]byte, len("+PONG\r\n"))
		client.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadFull(client, reply); err != nil || string(reply) != "+PONG\r\n" {
			t.Errorf("before %q the reply is %q: %v", half, reply, err)
		}
		client.Close()
	}
}

// TestACommandHasABound sends arguments that are too large together.
func TestACommandHasABound(t *testing.T) {
	s := newTested(t, "go", 1<<20)
	client, end := net.Pipe()
	go s.serve(end)
	go func() {
		large := fmt.Sprintf("$%d\r\n", maxBytes/4)
		io.WriteString(client, "*5\r\n")
		for range 4 {
			io.WriteString(client, large+strings.Repeat("x", maxBytes/4)+"\r\n")
		}
		io.WriteString(client, large)
	}()
	replies, err := io.ReadAll(client)
	if err != nil || string(replies) != "-ERR Protocol error\r\n" {
		t.Errorf("the reply is %q: %v", replies, err)
	}
}

// limited is a listener that has no file for the first connections.
type limited struct {
	net.Listener
	left int
}

func (l *limited) Accept() (net.Conn, error) {
	if l.left--; l.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAServerOutlivesALackOfFiles(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no network: ", err)
	}
	ended := make(chan error)
	go func() { ended <- serve(&limited{listener, 2}, newTested(t, "go", 1<<20)) }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "QUIT\r\n")
	if reply, err := io.ReadAll(client); err != nil || string(reply) != "+OK\r\n" {
		t.Errorf("the reply is %q: %v", reply, err)
	}
	listener.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the server ends with %v", err)
	}
}
