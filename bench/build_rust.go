package main

import (
	"context"
	"path/filepath"
)

// The peer in Rust: bumpalo, by the script in bench/rust.
//
// Invariant and cost: the script's.

const bumpalo = "bumpalo"

// buildRust compiles it.
func buildRust(ctx context.Context, root, folder string, names []string) (b built) {
	if _, err := command(ctx, "", filepath.Join(root, "bench", "rust", "build"), folder); err != nil {
		b.miss(bumpalo, err.Error()+": apt-get install rustc librust-bumpalo-dev")
		return b
	}
	program := filepath.Join(folder, bumpalo)
	b.peers = append(b.peers, peer{bumpalo, []string{program}, packageVersion(ctx, "librust-bumpalo-dev"), false})
	return b
}
