//go:build unix

package chapter_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// A real server's view pg_backend_memory_contexts beside the rows of a palloc.Snapshot. Releases of
// PostgreSQL have different figures, and some columns more: what they have in common is compared.

// A contextRow is what both sides tell of a context.
type contextRow struct {
	name                                  string
	level                                 int
	total, blocks, free, freeChunks, used int64
}

// asServer makes a command run as a user that PostgreSQL accepts: it refuses to be run by root.
func asServer(t *testing.T, cmd *exec.Cmd, dir string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return cmd
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("PostgreSQL does not run as root, and there is no other user for it: ", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Skip("PostgreSQL's user cannot have a folder: ", err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	cmd.Dir = dir
	return cmd
}

// serverPrograms returns the paths of initdb, postgres and psql, of the newest release that is here.
func serverPrograms(t *testing.T) (initdb, postgres, psql string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: starts a server")
	}
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil && len(places) == 0 {
		places = append(places, path)
	}
	psql, err := exec.LookPath("psql")
	if err != nil || len(places) == 0 {
		t.Skip("no PostgreSQL server is here: apt-get install postgresql")
	}
	bin := filepath.Dir(places[len(places)-1])
	return filepath.Join(bin, "initdb"), filepath.Join(bin, "postgres"), psql
}

// query starts a server with a new, empty database, and returns what a query answers, with the names
// of the columns first.
func query(t *testing.T, text string) [][]string {
	t.Helper()
	initdb, postgres, psql := serverPrograms(t)
	dir, err := os.MkdirTemp("", "pg") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	if out, err := asServer(t, exec.Command(initdb, "-D", data, "-U", "reader", "-A", "trust", "--no-sync"), dir).CombinedOutput(); err != nil {
		t.Skipf("no database can be made: %v\n%s", err, out)
	}
	server := asServer(t, exec.Command(postgres, "-D", data, "-k", dir, "-h", "", "-F"), dir)
	if err := server.Start(); err != nil {
		t.Skip("the server does not start: ", err)
	}
	t.Cleanup(func() { server.Process.Signal(syscall.SIGQUIT); server.Wait() })
	var out []byte
	for range 100 { // until it listens
		out, err = asServer(t, exec.Command(psql, "-h", dir, "-U", "reader", "-d", "postgres", "--csv", "-X", "-c", text), dir).Output()
		if err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Skip("the server does not answer: ", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// serverRows returns the contexts of a backend, as it answers this very question.
func serverRows(t *testing.T) (rows []contextRow) {
	t.Helper()
	answer := query(t, "SELECT name, level, total_bytes, total_nblocks, free_bytes, free_chunks, used_bytes FROM pg_backend_memory_contexts")
	for _, fields := range answer[1:] {
		var n [6]int64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, contextRow{name: fields[0], level: int(n[0]), total: n[1], blocks: n[2], free: n[3], freeChunks: n[4], used: n[5]})
	}
	return levelled(rows)
}

// pallocRows makes contexts with PostgreSQL's names and kinds, allocates in them, and returns the rows
// of a Snapshot.
func pallocRows() (rows []contextRow) {
	top := palloc.NewAllocSet(palloc.Top(), "TopMemoryContext")
	defer top.Delete()
	for range 500 {
		top.Alloc(128)
	}
	message := palloc.NewAllocSet(top, "MessageContext")
	message.Alloc(3000)
	portal := palloc.NewAllocSet(palloc.NewAllocSet(top, "TopPortalContext"), "PortalContext")
	executor := palloc.NewAllocSet(portal, "ExecutorState")
	executor.Alloc(10_000)
	palloc.NewAllocSet(executor, "ExprContext").Alloc(200)
	cache := palloc.NewAllocSet(top, "CacheMemoryContext")
	for range 2000 {
		cache.Alloc(200)
	}
	for _, r := range palloc.TakeSnapshot(top).Rows {
		rows = append(rows, contextRow{name: r.Name, level: r.Level, total: r.Held, blocks: r.Blocks, free: r.Free, freeChunks: r.FreeChunks, used: r.Used})
	}
	return levelled(rows)
}

// levelled makes the level of the first context 1: before release 18 PostgreSQL began with 0.
func levelled(rows []contextRow) []contextRow {
	if len(rows) > 0 {
		for i, first := 0, rows[0].level; i < len(rows); i++ {
			rows[i].level += 1 - first
		}
	}
	return rows
}

// sound reports what both sides must keep: a top context, levels without gaps, sums.
func sound(t *testing.T, side string, rows []contextRow) {
	t.Helper()
	if len(rows) == 0 || rows[0].name != "TopMemoryContext" {
		t.Fatalf("%s does not begin with TopMemoryContext: %v", side, rows)
	}
	deepest := 0
	for _, r := range rows {
		if r.used != r.total-r.free || r.used < 0 || r.blocks < 0 {
			t.Errorf("%s: used is not total - free: %+v", side, r)
		}
		if r.level < 1 || r.level > 1 && !slices.ContainsFunc(rows, func(p contextRow) bool { return p.level == r.level-1 }) {
			t.Errorf("%s: a context of level %d has no parent: %+v", side, r.level, r)
		}
		deepest = max(deepest, r.level)
	}
	if deepest < 4 {
		t.Errorf("%s: the deepest context is of level %d", side, deepest)
	}
}

func TestServerShowsWhatASnapshotShows(t *testing.T) {
	server, ours := serverRows(t), pallocRows()
	sound(t, "PostgreSQL", server)
	sound(t, "palloc", ours)
	var table strings.Builder
	fmt.Fprintf(&table, "%-42s %s\n", "PostgreSQL: pg_backend_memory_contexts", "palloc: TakeSnapshot")
	fmt.Fprintf(&table, "%-20s %5s %6s %8s   %5s %6s %8s\n", "name", "level", "blocks", "used", "level", "blocks", "used")
	for _, r := range ours {
		at := slices.IndexFunc(server, func(s contextRow) bool { return s.name == r.name })
		if at < 0 {
			t.Errorf("a backend that answers a query has no %s", r.name)
			continue
		}
		s := server[at]
		if s.level != r.level {
			t.Errorf("%s is on level %d in PostgreSQL, %d here", r.name, s.level, r.level)
		}
		fmt.Fprintf(&table, "%-20s %5d %6d %8d   %5d %6d %8d\n", r.name, s.level, s.blocks, s.used, r.level, r.blocks, r.used)
	}
	fmt.Fprintf(&table, "... and %d more contexts in PostgreSQL\n", len(server)-len(ours))
	t.Logf("\n%s", table.String())
	for _, b := range blocks(t) { // the chapter shows such a table: of another release, perhaps
		if b.what == "go test -v -run Server ./examples/chapter" {
			for i, line := range strings.Split(table.String(), "\n") {
				shown := strings.Split(b.text, "\n")
				if i < len(shown) && shape(shown[i]) != shape(line) {
					t.Errorf("%s shows %q, but it is %q", b.file, shown[i], line)
				}
			}
		}
	}
}
