package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

// The peers inside PostgreSQL: a throw-away server a mode, by the script in
// bench/postgres.
//
// Invariant: a server that was started is stopped when the run ends, however it
// ends. Cost: some ten seconds.

// serverPeer is a kind of contexts in a mode of the server.
type serverPeer struct{ name, mode, kind string }

// serverPeers are all. The replay of traces takes each context's kind from the
// trace, so that it has a name without one.
var serverPeers = []serverPeer{
	{"postgres", "plain", "allocset"},
	{"postgres-allocset", "plain", "allocset"},
	{"postgres-slab", "plain", "slab"},
	{"postgres-generation", "plain", "generation"},
	{"postgres-bump", "plain", "bump"},
	{"postgres-notrim-allocset", "notrim", "allocset"},
	{"postgres-notrim-bump", "notrim", "bump"},
}

// postgresPeers returns the names of all peers inside PostgreSQL.
func postgresPeers() (names []string) {
	for _, p := range serverPeers {
		names = append(names, p.name)
	}
	return names
}

// buildPostgres compiles the extension and starts the servers that the chosen
// peers need.
func buildPostgres(ctx context.Context, root, folder string, names []string) (b built) {
	script := filepath.Join(root, "bench", "postgres", "cluster")
	place := filepath.Join(folder, "postgres")
	b.stop = func() { command(context.Background(), "", script, "stop", place) }
	if _, err := command(ctx, "", script, "build", place); err != nil {
		b.miss(strings.Join(names, ", "), err.Error()+": .ci/bench-setup installs a server and its headers")
		return b
	}
	version := serverVersion(ctx, place)
	started := map[string]error{}
	for _, p := range serverPeers {
		if !slices.Contains(names, p.name) {
			continue
		}
		if _, tried := started[p.mode]; !tried {
			_, started[p.mode] = command(ctx, "", script, "start", place, p.mode)
		}
		if err := started[p.mode]; err != nil {
			b.miss(p.name, err.Error())
			continue
		}
		b.peers = append(b.peers, peer{p.name, []string{script, "run", place, p.mode, p.kind}, version, true})
	}
	return b
}

// serverVersion returns the server's version, such as 15.20.
func serverVersion(ctx context.Context, place string) string {
	said, err := command(ctx, "", filepath.Join(place, "bin", "postgres"), "--version")
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(said, ") ")
	version, _, _ = strings.Cut(version, " ")
	return version
}
