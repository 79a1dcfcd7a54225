package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/flat"
)

// The recordings: cells in Go replay them as they are, those of PostgreSQL in a flat
// form, which is made once.
//
// Invariant: a flat file may be read by every user, because a server of
// PostgreSQL has one of its own. Cost: 24 bytes an op on disk.

// traceSuffix is the end of a recording's file name.
const traceSuffix = ".mctrace.gz"

// recording is a recording, in both forms. The zero value is none.
type recording struct {
	path string
	flat string // "" until flatten
}

// name returns what the report calls the recording, "" for none.
func (r recording) name() string {
	if r == (recording{}) {
		return ""
	}
	return strings.TrimSuffix(filepath.Base(r.path), traceSuffix)
}

// ownRecordings is where the repository has recordings.
var ownRecordings = filepath.Join("cmd", "palloc", "recording")

// recordings returns the recordings in a folder; the default, an empty name, is the
// folder traces next to the repository, or else what the repository has.
func recordings(root, folder string) ([]recording, error) {
	if folder != "" {
		return recordingsIn(folder)
	}
	if list, err := recordingsIn(filepath.Join(root, "..", "shared", "traces")); err == nil {
		return list, nil
	}
	return recordingsIn(filepath.Join(root, ownRecordings))
}

// recordingsIn returns the recordings in one folder.
func recordingsIn(folder string) (list []recording, err error) {
	names, err := filepath.Glob(filepath.Join(folder, "*"+traceSuffix))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("-traces: there is no *%s in %s", traceSuffix, folder)
	}
	for _, name := range names {
		list = append(list, recording{path: name})
	}
	return list, err
}

// flatten makes a flat file of each recording.
func flatten(list []recording, folder string) error {
	for i := range list {
		r := &list[i]
		r.flat = filepath.Join(folder, r.name()+".flat")
		if err := flattenOne(r.path, r.flat); err != nil {
			return fmt.Errorf("cannot make %s flat: %w", r.path, err)
		}
	}
	return nil
}

func flattenOne(from, to string) error {
	t, err := trace.ReadFile(from)
	if err != nil {
		return err
	}
	return writeStream(to, func(w io.Writer) error { return flat.Write(w, t) })
}

// writeStream makes a file that every user may read, of what write writes.
func writeStream(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return f.Close()
}
