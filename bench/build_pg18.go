package main

import (
	"context"
	"path/filepath"
	"slices"
)

// The peers of PostgreSQL 18: its allocator without a server, by the script in bench/pg18.
//
// Invariant: they run the same C loops as the peers inside a server. Cost: a download of
// Debian's source package and a minute, once a run.

// pg18 is the peer that replays recordings, whose contexts have the recorded kinds.
const pg18 = "pg18"

// pg18Kinds are the kinds of contexts that the peers use, by the peers' names.
var pg18Kinds = map[string]string{
	pg18: "allocset", "pg18-allocset": "allocset", "pg18-slab": "slab", "pg18-generation": "generation", "pg18-bump": "bump",
}

// pg18Names are the names of the peers.
var pg18Names = []string{pg18, "pg18-allocset", "pg18-slab", "pg18-generation", "pg18-bump"}

// buildPG18 compiles the program.
func buildPG18(ctx context.Context, root, folder string, names []string) (b built) {
	place := filepath.Join(folder, pg18)
	version, err := command(ctx, "", filepath.Join(root, "bench", pg18, "build"), place)
	for _, name := range pg18Names {
		switch {
		case !slices.Contains(names, name):
		case err != nil:
			b.miss(name, err.Error())
		default:
			b.peers = append(b.peers, peer{name, []string{filepath.Join(place, pg18), pg18Kinds[name]}, version, true})
		}
	}
	return b
}
