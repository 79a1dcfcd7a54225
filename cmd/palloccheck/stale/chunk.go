package stale

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// chunkEnds reports uses of a chunk after it was freed or moved.
func (f *function) chunkEnds(end ssa.Instruction, v ssa.Value, name string) {
	c, ok := flow.ChunkOf(v)
	if !ok || !flow.Dominates(c.Call, end) || isAppend(name) && !mayMove(c) || isCompared(end, c) {
		return
	}
	for use := range f.after(end) {
		for _, v := range used(use) {
			if other, ok := flow.ChunkOf(v); ok && other.Call == c.Call {
				f.At(posOf(use), "memory is used after the %s at line %d: %s", name, f.Line(end.Pos()), instead(name))
			}
		}
	}
}

func isAppend(name string) bool { return name == "Append" || name == "Grow" }

// isCompared reports whether the program compares the old address with the new one: then it
// knows whether the chunk moved.
func isCompared(end ssa.Instruction, old flow.Chunk) bool {
	call, ok := end.(*ssa.Call)
	if !ok {
		return false
	}
	for i := range flow.Instructions(end.Parent()) {
		b, ok := i.(*ssa.BinOp)
		if !ok {
			continue
		}
		x, okX := flow.ChunkOf(b.X)
		y, okY := flow.ChunkOf(b.Y)
		if okX && okY && (x.Call == call && y.Call == old.Call || x.Call == old.Call && y.Call == call) {
			return true
		}
	}
	return false
}

// mayMove reports whether Append may free the old slice: it covers its chunk, and is not in a
// Bump, which frees none.
func mayMove(c flow.Chunk) bool {
	if created := flow.Created(c.Context); created != nil {
		if kind, _ := flow.Palloc(created); kind == "NewBump" {
			return false
		}
	}
	return c.Whole
}

func instead(name string) string {
	switch {
	case isAppend(name):
		return "use only its result, s = palloc." + name + "(mc, s, ...)"
	case api.Resizes[name]:
		return "use only its result"
	}
	return "it was freed"
}

// writes returns the Buffer whose bytes an instruction changes or moves.
func writes(i ssa.Instruction) (buffer ssa.Value, name string) {
	call, ok := i.(*ssa.Call)
	if !ok {
		return nil, ""
	}
	if name, args := flow.Palloc(call); api.Writes[name] {
		return args[0], name
	}
	switch name := flow.FullName(&call.Call); name {
	case "fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "io.WriteString", "io.Copy":
		if to, ok := call.Call.Args[0].(*ssa.MakeInterface); ok && api.IsBuffer(to.X.Type()) {
			return to.X, name
		}
	}
	return nil, ""
}

// bufferChanges reports uses of what Bytes or String of the Buffer returned before.
func (f *function) bufferChanges(end ssa.Instruction, buffer ssa.Value, name string) {
	of := flow.Of(buffer)
	for use := range f.after(end) {
		for _, v := range used(use) {
			c, ok := flow.ChunkOf(v)
			if !ok || !flow.Dominates(c.Call, end) {
				continue
			}
			if lent, args := flow.Palloc(c.Call); api.Lends[lent] && flow.Of(args[0]) == of {
				f.At(posOf(use), "the result of %s is used after the %s at line %d", lent, name, f.Line(end.Pos()))
			}
		}
	}
}
