package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gopalloc/palloc/bench/cell"
)

// The peers in Go: this same program, started again as a cell.
//
// Invariant: a cell's process does nothing but the cell. Cost: none; the arenas
// need a compilation of their own, because Go has them as an experiment only.

// cellCommand is the hidden command of a Go cell: cell PEER WORKLOAD [FILE].
const cellCommand = "cell"

// arenas is the peer that the ordinary program does not have.
const arenas = "arenas"

// goPeers returns the names of all peers in Go.
func goPeers() []string { return append(cell.Peers(), arenas) }

// buildGo returns the chosen peers.
func buildGo(ctx context.Context, root, folder string, names []string) (b built) {
	self, err := os.Executable()
	for _, name := range names {
		switch {
		case name == arenas:
			buildArenas(ctx, root, folder, &b)
		case err != nil:
			b.miss(name, "the own program cannot be found: "+err.Error())
		default:
			b.peers = append(b.peers, peer{name, []string{self, cellCommand, name}, moduleVersion(name)})
		}
	}
	return b
}

// buildArenas compiles the program with arenas.
func buildArenas(ctx context.Context, root, folder string, b *built) {
	program := filepath.Join(folder, "arenas")
	_, err := command(ctx, root, "env", "GOEXPERIMENT=arenas", "go", "build", "-o", program, "./bench")
	if err != nil {
		b.miss(arenas, err.Error()+": take a Go that has the experiment arenas")
		return
	}
	b.peers = append(b.peers, peer{arenas, []string{program, cellCommand, arenas}, ""})
}

// moduleOf says in which module an allocator that is not the project's lies.
var moduleOf = map[string]string{
	"arrow":     "github.com/apache/arrow-go/v18",
	"modernc":   "modernc.org/memory",
	"ristretto": "github.com/dgraph-io/ristretto/v2",
}

// moduleVersion returns the version of a peer's module, or nothing.
func moduleVersion(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == moduleOf[name] })
	if i < 0 {
		return ""
	}
	return strings.TrimPrefix(info.Deps[i].Version, "v")
}
