package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The peers: libraries whose own tests run on contexts.
//
// Invariant: with ALLOCATOR=own a copy does what the library does.
// Cost: that of the tests.

// A peer is a library.
type peer struct {
	name, module, version string
	adapter               string   // of palloc, in adapters; "" for none
	packages              []string // whose tests run
	flags                 []string
	overwrites            bool // the copy knows ALLOCATOR=overwrite: memory that is overwritten when it is freed
	prepare               func(dir string) error
}

//go:embed arrow.go.txt
var arrow string

//go:embed wazero.go.txt
var wazero string

//go:embed pebble.go.txt
var pebble string

var peers = []peer{
	{
		name: "arrow", module: "github.com/apache/arrow-go/v18", version: "v18.8.0", adapter: "arrow",
		packages: []string{"./arrow/memory", "./arrow/array", "./arrow/compute", "./arrow/ipc"}, overwrites: true,
		prepare: func(dir string) error { return write(dir, "arrow/memory/go_allocator.go", arrow) },
	},
	{
		name: "wazero", module: "github.com/tetratelabs/wazero", version: "v1.12.0", adapter: "wazero",
		packages: []string{"./experimental", "./internal/wasm", "./internal/integration_test/spectest/..."},
		prepare: func(dir string) error {
			const use = "\tif allocator != nil {\n\t\texpBuffer = "
			if err := replace(dir, "internal/wasm/memory.go", use, "\tif allocator == nil {\n\t\tallocator = tested\n\t}\n"+use); err != nil {
				return err
			}
			return write(dir, "internal/wasm/tested.go", wazero)
		},
	},
	{
		name: "pebble", module: "github.com/cockroachdb/pebble/v2", version: "v2.1.7",
		packages: []string{"./internal/manual", "./internal/cache", "./internal/arenaskl", "./sstable", "./sstable/block", "./sstable/colblk", "./sstable/blob"},
		flags:    []string{"-short"},
		prepare: func(dir string) error {
			for _, file := range []string{"internal/manual/manual_cgo.go", "internal/manual/manual_nocgo.go"} {
				for _, name := range []string{"New", "Free"} {
					if err := replace(dir, file, "\nfunc "+name+"(", "\nfunc own"+name+"("); err != nil {
						return err
					}
				}
			}
			return write(dir, "internal/manual/tested.go", pebble)
		},
	},
}

// write writes a file of a copy.
func write(dir, name, text string) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) { // the copy's files are read-only
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// replace replaces the only occurrence of old in a file of a copy.
func replace(dir, name, old, by string) error {
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), old); n != 1 {
		return fmt.Errorf("%s has %d times %q", name, n, old)
	}
	return write(dir, name, strings.Replace(string(text), old, by, 1))
}
