package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Building: each language makes its peers in a folder of the run.
//
// Invariant: what cannot be built is left out, with the reason and what would mend
// it; it does not end the run. Cost: some seconds.

// built is what one language made.
type built struct {
	peers   []peer
	leftOut []leftOut
	stop    func() // called when the run ends, if not nil
}

// maker makes the peers of one language.
type maker struct {
	names []string // of all that it could make
	build func(ctx context.Context, root, folder string, names []string) built
}

// makers are all, in the order in which peers run.
func makers() []maker {
	return []maker{
		{goPeers(), buildGo},
		{postgresPeers(), buildPostgres},
		{pg18Names, buildPG18},
		{[]string{bumpalo}, buildRust},
		{cNames(), buildC},
	}
}

// allPeers returns the names of all peers.
func allPeers() (names []string) {
	for _, m := range makers() {
		names = append(names, m.names...)
	}
	return names
}

// miss records that a peer is left out.
func (b *built) miss(peer, why string) { b.leftOut = append(b.leftOut, leftOut{peer, why}) }

// build makes all chosen peers. Its stop is never nil.
func build(ctx context.Context, o options, root, folder string) (all built) {
	var stops []func()
	for _, m := range makers() {
		var names []string
		for _, name := range m.names {
			if slices.Contains(o.peers, name) && o.asks(name) {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			continue
		}
		b := m.build(ctx, root, folder, names)
		all.peers = append(all.peers, b.peers...)
		all.leftOut = append(all.leftOut, b.leftOut...)
		if b.stop != nil {
			stops = append(stops, b.stop)
		}
	}
	for i, l := range all.leftOut {
		// The report is read elsewhere, where the path of the clone means nothing.
		all.leftOut[i].Why = strings.ReplaceAll(l.Why, root+string(filepath.Separator), "")
	}
	all.stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	return all
}

// command runs a command of the build; its error is the first line it complained
// with.
func command(ctx context.Context, folder string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err == nil {
		return strings.TrimSpace(string(out)), nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return "", err // it could not be started, and the error says which
	}
	return "", errors.New(complaint(string(out), err))
}

// complaint returns the line of a compiler's output that has the error.
func complaint(out string, err error) string {
	for _, mark := range []string{"fatal error", "cannot find", "error"} {
		for line := range strings.Lines(out) {
			if strings.Contains(line, mark) {
				return shortened(strings.TrimSpace(line))
			}
		}
	}
	return err.Error() + ": " + lastLine(out)
}

// packageVersion returns the version of a Debian package without Debian's own
// part, or nothing.
func packageVersion(ctx context.Context, name string) string {
	v, err := command(ctx, "", "dpkg-query", "-W", "-f", "${Version}", name)
	if err != nil {
		return ""
	}
	v = v[strings.Index(v, ":")+1:]
	v, _, _ = strings.Cut(v, "-")
	v, _, _ = strings.Cut(v, "+")
	return v
}
