package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopalloc/palloc/bench/flat"
	"github.com/gopalloc/palloc/trace"
)

// The traces: recordings, made flat once, for cells in any language.
//
// Invariant: a flat file may be read by every user, because a server of
// PostgreSQL has one of its own. Cost: 24 bytes an op on disk.

const (
	traceSuffix = ".mctrace.gz"
	flatSuffix  = ".flat"
)

// ownRecordings is where the repository has recordings.
var ownRecordings = filepath.Join("cmd", "palloc", "recording")

// recordings returns the traces in a folder; the default, an empty name, is the
// folder traces beside the repository, or else what the repository has.
func recordings(root, folder string) ([]string, error) {
	if folder != "" {
		return recordingsIn(folder)
	}
	if names, err := recordingsIn(filepath.Join(root, "..", "shared", "traces")); err == nil {
		return names, nil
	}
	return recordingsIn(filepath.Join(root, ownRecordings))
}

// recordingsIn returns the traces of one folder.
func recordingsIn(folder string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*"+traceSuffix))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("-traces: there is no *%s in %s", traceSuffix, folder)
	}
	return names, err
}

// flatten writes a flat file of each trace and returns their names.
func flatten(traces []string, folder string) (flats []string, err error) {
	for _, name := range traces {
		base := strings.TrimSuffix(filepath.Base(name), traceSuffix)
		to := filepath.Join(folder, base+flatSuffix)
		if err := flattenOne(name, to); err != nil {
			return nil, fmt.Errorf("cannot make %s flat: %w", name, err)
		}
		flats = append(flats, to)
	}
	return flats, nil
}

func flattenOne(from, to string) error {
	t, err := trace.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flat.Write(f, t); err != nil {
		return err
	}
	return f.Close()
}

// traceName returns what the report calls a trace.
func traceName(flat string) string { return strings.TrimSuffix(filepath.Base(flat), flatSuffix) }
