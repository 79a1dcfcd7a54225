package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Publishing: the report goes between two marks of a file.
//
// Invariant: what stands outside of the marks stays as it is. Cost: none to speak
// of.

const (
	beginMark = "<!-- bench: begin -->"
	endMark   = "<!-- bench: end -->"
)

// publish puts text between the marks of a file, which it makes if there is none,
// with its folder.
func publish(name, text string) error {
	old, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		old = []byte("# Benchmarks\n")
	} else if err != nil {
		return err
	}
	page, err := merged(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeFile(name, []byte(page))
}

// writeFile writes a file, and makes its folder if there is none, so that a run of
// an hour is not lost.
func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// merged returns the page with text between its marks; a page without marks gets
// them at its end.
func merged(page, text string) (string, error) {
	before, rest, begins := strings.Cut(page, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	switch {
	case !begins && !strings.Contains(page, endMark):
		before, after = strings.TrimRight(page, "\n")+"\n\n", "\n"
	case !begins || !ends:
		return "", fmt.Errorf("it has one of the marks %s and %s: write both, in this order, or none", beginMark, endMark)
	}
	return before + beginMark + "\n\n" + strings.TrimSpace(text) + "\n\n" + endMark + after, nil
}
