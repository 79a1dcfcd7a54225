package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// The peers in C: one program an allocator, of the sources in bench/c.
//
// Invariant: they differ in the header that is the allocator and in what is linked,
// in nothing else. Cost: a second each.

// cPeer is an allocator that C programs use.
type cPeer struct {
	name   string
	header string
	flags  string // a command that prints what the compiler needs, or nothing
	link   string
	debian string // the package that has it, and its version
}

var cPeers = []cPeer{
	{"glibc", "peer_malloc.h", "", "", "libc6-dev"},
	{"jemalloc", "peer_malloc.h", "", "-ljemalloc", "libjemalloc-dev"},
	{"mimalloc", "peer_malloc.h", "", "-lmimalloc", "libmimalloc-dev"},
	{"tcmalloc", "peer_malloc.h", "", "-ltcmalloc_minimal", "libgoogle-perftools-dev"},
	{"talloc", "peer_talloc.h", "", "-ltalloc", "libtalloc-dev"},
	{"apr", "peer_apr.h", "apr-1-config --cflags --cppflags --includes", "-lapr-1", "libapr1-dev"},
	{"ideal", "peer_ideal.h", "", "", ""},
}

// cNames returns the names of all peers in C.
func cNames() (names []string) {
	for _, p := range cPeers {
		names = append(names, p.name)
	}
	return names
}

// buildC compiles the chosen peers.
func buildC(ctx context.Context, root, folder string, names []string) (b built) {
	sources, _ := filepath.Glob(filepath.Join(root, "bench", "c", "*.c"))
	for _, p := range cPeers {
		if !slices.Contains(names, p.name) {
			continue
		}
		program := filepath.Join(folder, p.name)
		if err := p.compile(ctx, sources, program); err != nil {
			b.miss(p.name, err.Error())
			continue
		}
		b.peers = append(b.peers, peer{p.name, []string{program}, packageVersion(ctx, p.debian), false})
	}
	return b
}

// compile makes the program of one peer.
func (p cPeer) compile(ctx context.Context, sources []string, program string) error {
	argv := []string{"cc", "-O2", "-std=gnu11", "-pthread", `-DPEER="` + p.header + `"`}
	if p.flags != "" {
		flags, err := command(ctx, "", strings.Fields(p.flags)...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, p.remedy())
		}
		argv = append(argv, strings.Fields(flags)...)
	}
	argv = append(argv, "-o", program)
	argv = append(argv, sources...)
	if _, err := command(ctx, "", append(argv, strings.Fields(p.link)...)...); err != nil {
		return fmt.Errorf("%w: %s", err, p.remedy())
	}
	return nil
}

// remedy returns how to get what the peer needs.
func (p cPeer) remedy() string {
	return strings.TrimSpace("apt-get install gcc " + p.debian)
}
