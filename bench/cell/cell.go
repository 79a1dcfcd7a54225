// Package cell has the Go cells of the measuring bench: palloc, Go's heap, and
// other allocators for Go, each at the workloads of the README above.
//
// Terms:
//
//   - peer: an allocator, or a kind of palloc's contexts.
//   - workload: what is done with it; its name and its figures are the README's.
//   - cell: one peer at one workload, once. It has the process to itself.
//
// Every loop that a clock looks at is written out for its peer, with direct
// calls: through an interface or a type parameter nothing would be inlined.
package cell

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The table of peers.
//
// Invariant: each file of a peer adds its own, so that what does not build on a
// system is absent there. Cost: none.

// ErrUnknown is what Run returns for a workload that the peer does not have.
var ErrUnknown = errors.New("cell: the peer has no such workload")

// figures holds what a cell measured, by name.
type figures = map[string]float64

// workload runs a workload. file is the recording to replay, "" for the others.
type workload func(file string) (figures, error)

// peers holds the workloads of each peer, by name.
var peers = map[string]map[string]workload{}

// join adds workloads to a peer.
func join(peer string, workloads map[string]workload) {
	if peers[peer] == nil {
		peers[peer] = map[string]workload{}
	}
	maps.Copy(peers[peer], workloads)
}

// plain returns a workload without a file, which cannot fail.
func plain(run func() figures) workload {
	return func(string) (figures, error) { return run(), nil }
}

// Run runs a cell and returns its figures, in nanoseconds and bytes. The file is
// a recording, for the workloads that replay one. The error is ErrUnknown for a
// workload that the peer does not have; another for a peer that is none, a trace
// that cannot be read, or a figure that the system does not tell.
func Run(peer, workload, file string) (map[string]float64, error) {
	workloads, known := peers[peer]
	if !known {
		return nil, fmt.Errorf("cell: there is no peer %q; there are %s", peer, strings.Join(Peers(), ", "))
	}
	run, known := workloads[workload]
	if !known {
		return nil, ErrUnknown
	}
	return run(file)
}

// Peers returns the names of the peers of this build, sorted.
func Peers() []string { return slices.Sorted(maps.Keys(peers)) }
