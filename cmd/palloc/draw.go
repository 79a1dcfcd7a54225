package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/draw"
	"github.com/gopalloc/palloc/trace/backend"
)

// The draw command: a picture of the contexts of a replay, stopped at an operation, or of a file.
//
// Invariant: nothing is written unless the picture is whole. Cost: a replay up to the operation, in
// this process.

const drawUsage = `palloc draw makes a picture (SVG) of memory contexts: of a replay that is stopped, or of a
file with the JSON of a palloc.Snapshot or a palloc.Layout. Without a file it replays the recording
that it carries: a PostgreSQL backend under pgbench.

  palloc draw [flags] [TRACE | FILE.json]

The tree has each context with what it holds. The links are those of one context to its
parent, its first child and its siblings. The blocks are those of one context, with the
chunks in them: live, freed, never used.

`

// The pictures.
const (
	pictureTree   = "tree"
	pictureLinks  = "links"
	pictureBlocks = "blocks"
)

// drawing is what the flags and the argument ask for.
type drawing struct {
	picture string // "" for the tree, or the blocks if the file is a Layout
	at      int    // operations, below 0 for the peak
	context string // name, ident or ID, "" for the context that holds most
	boxes   int
	out     string // "" for standard output
	docs    string // folder for the pictures of the documents, "" for none
	file    string // embedded for none
}

// parseDrawing reads the flags, as parse does.
func parseDrawing(args []string, stdout io.Writer) (d drawing, err error) {
	flags := flag.NewFlagSet("draw", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&d.picture, "picture", "", "tree, links or blocks (the tree, or the blocks if FILE has nothing else)")
	flags.IntVar(&d.at, "at", -1, "how many operations are replayed; -1 stops at the peak of memory")
	flags.StringVar(&d.context, "context", "", "name, ident or ID of the context with the links or blocks (the one that holds most)")
	flags.IntVar(&d.boxes, "boxes", draw.DefaultBoxes, "how many boxes the tree has at most: the other contexts are folded")
	flags.StringVar(&d.out, "o", "", "file for the picture (standard output)")
	flags.StringVar(&d.docs, "docs", "", "folder in which to make the pictures of the documents anew, and nothing else")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, drawUsage)
		flags.VisitAll(func(f *flag.Flag) {
			fmt.Fprintf(stdout, "  -%-8s %s%s\n", f.Name, f.Usage, defaultText(f))
		})
		return d, err
	case err != nil:
		return d, fmt.Errorf("draw: %w; 'palloc draw -help' lists the flags", err)
	}
	return d, d.check(flags.Args())
}

// check takes the argument, and refuses flags that make no sense.
func (d *drawing) check(args []string) error {
	switch {
	case d.picture != "" && d.picture != pictureTree && d.picture != pictureLinks && d.picture != pictureBlocks:
		return fmt.Errorf("draw: -picture is %q; there are tree, links and blocks", d.picture)
	case d.at < -1:
		return fmt.Errorf("draw: -at is %d; it is a number of operations, or -1 for the peak", d.at)
	case d.boxes < 1:
		return fmt.Errorf("draw: -boxes is %d; a tree has at least 1", d.boxes)
	case len(args) > 1:
		return fmt.Errorf("draw: %d files; a picture is of one", len(args))
	case len(args) == 1 && args[0] == embedded:
		return errors.New("draw: the file has an empty name; leave it out to draw the recording that palloc carries")
	case len(args) == 1:
		d.file = args[0]
	}
	return nil
}

// drawCommand runs the command and returns the exit status.
func drawCommand(args []string, stdout, stderr io.Writer) int {
	d, err := parseDrawing(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err == nil && d.docs != "" {
		err = drawDocs(d.docs)
	} else if err == nil {
		err = d.draw(stdout)
	}
	if f := new(failure); errors.As(err, &f) {
		return complain(stderr, f.Status, f)
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	return statusOK
}

// draw makes the picture, and then writes it.
func (d drawing) draw(stdout io.Writer) error {
	var picture bytes.Buffer
	saved, err := readSaved(d.file)
	switch {
	case err != nil:
		return err
	case saved != nil:
		err = d.saved(&picture, saved)
	default:
		err = stopped(d.file, d.at, func(top palloc.Context) error { return d.live(&picture, top) })
	}
	if err != nil {
		return err
	}
	if d.out != "" {
		return os.WriteFile(d.out, picture.Bytes(), 0o666)
	}
	if _, err = stdout.Write(picture.Bytes()); err != nil {
		return &failure{fmt.Sprintf("draw: cannot write: %v", err), statusFailed}
	}
	return nil
}

// stopped replays a trace up to an operation, or to the peak, and calls do with the contexts that there
// are then.
func stopped(file string, at int, do func(top palloc.Context) error) (err error) {
	j := job{Trace: file, Backend: "palloc"}
	defer func() {
		if p := recover(); p != nil {
			err = j.fails(p).Failure
		}
	}()
	t, err := j.load()
	if err != nil {
		return err
	}
	if at < 0 {
		at = t.PeakOps()
	}
	if at > len(t.Ops()) {
		return fmt.Errorf("draw: -at is %d; the trace has %d operations", at, len(t.Ops()))
	}
	if t, err = backend.OffHeap(t); err != nil {
		return j.fails(err).Failure
	}
	b := new(backend.Palloc)
	b.Begin(t)
	defer b.End()
	b.Play(t.Ops()[:at])
	return do(topOf(b.Root()))
}

// topOf returns the context that has all others below it: the replay's, or the recorded one below
// it, if there is just one.
func topOf(root palloc.Context) palloc.Context {
	top := root
	for mc := range root.Children() {
		if top != root {
			return root
		}
		top = mc
	}
	return top
}

// live draws contexts of this process.
func (d drawing) live(w io.Writer, top palloc.Context) error {
	s := palloc.TakeSnapshot(top)
	if d.picture != pictureBlocks {
		return d.snapshot(w, s)
	}
	at, err := d.find(s)
	if err != nil {
		return err
	}
	for mc := range top.All() { // in the order of the rows
		if at == 0 {
			return draw.Blocks(w, mc.Layout())
		}
		at--
	}
	return nil
}

// snapshot draws the tree, or links.
func (d drawing) snapshot(w io.Writer, s palloc.Snapshot) error {
	if d.picture != pictureLinks {
		return draw.Tree(w, s, d.boxes)
	}
	at, err := d.find(s)
	if err != nil {
		return err
	}
	return draw.Links(w, s, s.Rows[at].ID)
}

// find returns the index of the row of the context that is asked for: of those with a name or ident, and
// of all, the one that holds most.
func (d drawing) find(s palloc.Snapshot) (at int, err error) {
	at = -1
	id, noID := strconv.Atoi(d.context)
	for i := range s.Rows {
		r := &s.Rows[i]
		if noID == nil && r.ID == id {
			return i, nil
		}
		if (d.context == "" || d.context == r.Name || d.context == r.Ident) && (at < 0 || r.Held > s.Rows[at].Held) {
			at = i
		}
	}
	if at < 0 {
		return 0, fmt.Errorf("draw: there is no context with the name, ident or ID %q", d.context)
	}
	return at, nil
}

// saved is what a file of JSON has: one of the two.
type saved struct {
	palloc.Snapshot
	layout *palloc.Layout
}

// readSaved reads a file of JSON; it returns nil for others, which may be traces.
func readSaved(name string) (*saved, error) {
	if name == embedded || filepath.Ext(name) != ".json" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var has struct{ Rows, Blocks json.RawMessage }
	if err := json.Unmarshal(text, &has); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := new(saved)
	var into any = &f.Snapshot
	switch {
	case has.Rows == nil && has.Blocks == nil:
		return nil, fmt.Errorf("%s: it has neither the Rows of a palloc.Snapshot nor the Blocks of a palloc.Layout", name)
	case has.Rows == nil:
		f.layout = new(palloc.Layout)
		into = f.layout
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// saved draws what a file has.
func (d drawing) saved(w io.Writer, f *saved) error {
	switch {
	case d.at >= 0:
		return errors.New("draw: -at is for a replay, and the file is JSON")
	case f.layout == nil && d.picture == pictureBlocks:
		return fmt.Errorf("draw: %s is a palloc.Snapshot, which has no blocks: save Context.Layout", d.file)
	case f.layout == nil:
		return d.snapshot(w, f.Snapshot)
	case d.picture != "" && d.picture != pictureBlocks:
		return fmt.Errorf("draw: %s is a palloc.Layout, which has the blocks of one context only: save TakeSnapshot", d.file)
	}
	return draw.Blocks(w, *f.layout)
}

// inDocs are the pictures of the documents.
var inDocs = map[string]drawing{
	"tree.svg":   {picture: pictureTree, boxes: 14},
	"links.svg":  {picture: pictureLinks, context: "CacheMemoryContext"},
	"blocks.svg": {picture: pictureBlocks, context: "TopMemoryContext"},
}

// drawDocs makes the pictures of the documents in a folder, all of one replay: in a second one of the
// same process, contexts begin with blocks that the first one left.
func drawDocs(folder string) error {
	return stopped(embedded, -1, func(top palloc.Context) error {
		for name, d := range inDocs {
			var picture bytes.Buffer
			if err := d.live(&picture, top); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, name), picture.Bytes(), 0o666); err != nil {
				return err
			}
		}
		return nil
	})
}
