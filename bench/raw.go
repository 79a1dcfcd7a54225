package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// The raw figures: all that a run measured, and on what. The report, the plots
// and compare are made of nothing else.
//
// Invariant: each cell is here once, its rounds in order. Cost: a few hundred
// bytes a cell.

// rawFormat is the version of the JSON form.
const rawFormat = 1

// raw is one run of the bench.
type raw struct {
	Format  int       `json:"format"`
	When    time.Time `json:"when"`
	Command string    `json:"command"`
	Commit  string    `json:"commit"`
	Machine machine   `json:"machine"`
	Peers   []version `json:"peers"`
	LeftOut []leftOut `json:"left_out"`
	Failed  []failure `json:"failed"`
	Cells   []*record `json:"cells"`
}

// version is the release of an allocator that took part.
type version struct {
	Peer    string `json:"peer"`
	Version string `json:"version"`
}

// leftOut is an allocator that could not be built or started.
type leftOut struct {
	Peer string `json:"peer"`
	Why  string `json:"why"` // with what would mend it
}

// failure is a cell that failed.
type failure struct {
	Peer     string `json:"peer"`
	Workload string `json:"workload"`
	File     string `json:"file,omitempty"`
	Why      string `json:"why"`
}

// record is a cell with the figures of its rounds.
type record struct {
	Peer     string   `json:"peer"`
	Workload string   `json:"workload"`
	File     string   `json:"file,omitempty"` // a trace's name
	Rounds   []sample `json:"rounds"`
}

// sample is what one cell printed in one round.
type sample struct {
	Round   int                `json:"round"`
	Figures map[string]float64 `json:"figures"`
}

// find returns a cell, or nil when it was not measured.
func (r *raw) find(peer, workload, file string) *record {
	for _, c := range r.Cells {
		if c.Peer == peer && c.Workload == workload && c.File == file {
			return c
		}
	}
	return nil
}

// add records what a cell printed.
func (r *raw) add(peer, workload, file string, s sample) {
	c := r.find(peer, workload, file)
	if c == nil {
		c = &record{Peer: peer, Workload: workload, File: file}
		r.Cells = append(r.Cells, c)
	}
	c.Rounds = append(c.Rounds, s)
}

// files returns the traces that a workload was measured on, in order.
func (r *raw) files(workload string) (names []string) {
	seen := map[string]bool{}
	for _, c := range r.Cells {
		if c.Workload == workload && !seen[c.File] {
			seen[c.File] = true
			names = append(names, c.File)
		}
	}
	return names
}

// series returns a figure by round: empty when the cell is nil or has no such
// figure.
func (c *record) series(figure string) map[int]float64 {
	s := map[int]float64{}
	if c == nil {
		return s
	}
	for _, sample := range c.Rounds {
		if v, has := sample.Figures[figure]; has {
			s[sample.Round] = v
		}
	}
	return s
}

// save writes the JSON form.
func (r *raw) save(name string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return writeFile(name, append(text, '\n'))
}

// loadRaw reads the JSON form.
func loadRaw(name string) (*raw, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &raw{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w: it should be a file that -json wrote", name, err)
	}
	if r.Format != rawFormat {
		return nil, fmt.Errorf("%s has format %d, this bench reads %d: measure again with -json", name, r.Format, rawFormat)
	}
	return r, nil
}

// values returns a figure's values in the order of the rounds.
func (c *record) values(figure string) (v []float64) {
	for _, s := range c.Rounds {
		if x, has := s.Figures[figure]; has {
			v = append(v, x)
		}
	}
	return v
}

// figures returns the names of the figures, sorted.
func (c *record) figures() []string {
	return slices.Sorted(maps.Keys(c.Rounds[0].Figures))
}

// most returns the largest number of rounds of any cell.
func (r *raw) most() (rounds int) {
	for _, c := range r.Cells {
		rounds = max(rounds, len(c.Rounds))
	}
	return rounds
}

// String returns the peer and the reason.
func (l leftOut) String() string { return l.Peer + ": left out: " + l.Why }

// String returns the cell and what happened to it.
func (f failure) String() string {
	return strings.Join(strings.Fields(f.Peer+" "+f.Workload+" "+f.File), " ") + ": " + f.Why
}
