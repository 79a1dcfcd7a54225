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

// The peers in Go: the program bench/cells, compiled for the run.
//
// Invariant: a cell's process does nothing but the cell. Cost: a compilation; the
// arenas need one of their own, because Go has them as an experiment only.

// arenas is the peer that the ordinary program does not have.
const arenas = "arenas"

// goPeers returns the names of all peers in Go.
func goPeers() []string { return append(cell.Peers(), arenas) }

// buildGo returns the chosen peers.
func buildGo(ctx context.Context, root, folder string, names []string) (b built) {
	for _, name := range names {
		variant := "cells"
		if name == arenas {
			variant = arenas
		}
		program := filepath.Join(folder, variant)
		if err := buildCells(ctx, root, program, variant == arenas); err != nil {
			b.miss(name, err.Error()+": bench/cells wants the go command, and arenas a Go that has the experiment")
			continue
		}
		b.peers = append(b.peers, peer{name, []string{program, name}, moduleVersion(name), false})
	}
	return b
}

// buildCells compiles the program, unless it is there.
func buildCells(ctx context.Context, root, program string, experiment bool) error {
	if _, err := os.Stat(program); err == nil {
		return nil
	}
	build := []string{"go", "build", "-o", program, "./bench/cells"}
	if experiment {
		build = append([]string{"env", "GOEXPERIMENT=arenas"}, build...)
	}
	_, err := command(ctx, root, build...)
	return err
}

// moduleOf is the module of each allocator that is not the project's.
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
