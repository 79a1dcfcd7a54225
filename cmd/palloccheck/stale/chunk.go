package stale

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Chunks that are freed or moved, and the bytes of a Buffer.

// chunkEnds reports uses of a chunk after it was freed or moved. The chunk is known by the call
// that allocated it, or by the value that was freed.
func (f *function) chunkEnds(end ssa.Instruction, v ssa.Value, name string) {
	c, ok := flow.ChunkOf(v)
	ok = ok && c.Call != nil
	base := flow.Base(v)
	switch {
	case ok && !flow.Dominates(c.Call, end), !ok && !isFixed(base, end):
		return
	case isAppend(name) && (!ok || !mayMove(c)), isCompared(end, v):
		return
	}
	for use := range f.after(end) {
		for _, u := range used(use) {
			other, known := flow.ChunkOf(u)
			if ok && known && other.Call == c.Call || !ok && flow.Base(u) == base {
				f.At(posOf(use), "memory is used after the %s at line %d: %s", name, f.Line(end.Pos()), instead(name))
			}
		}
	}
}

// isFixed reports whether a value is the same at the end and after it.
func isFixed(base flow.Source, end ssa.Instruction) bool {
	switch base.Value.(type) {
	case *ssa.Const, *ssa.Global, *ssa.Alloc:
		return false
	}
	return base.Path == "" && flow.Known(base.Value, end)
}

func isAppend(name string) bool { return name == "Append" || name == "Grow" }

// isCompared reports whether the program compares the old address with the new one: then it
// knows whether the chunk moved.
func isCompared(end ssa.Instruction, old ssa.Value) bool {
	moved, ok := end.(*ssa.Call)
	if !ok {
		return false
	}
	base, result := flow.Base(old), flow.Source{Value: moved}
	for i := range flow.Instructions(end.Parent()) {
		if b, ok := i.(*ssa.BinOp); ok {
			x, y := flow.Base(b.X), flow.Base(b.Y)
			if x == base && y == result || x == result && y == base {
				return true
			}
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
			if !ok || c.Call == nil || !flow.Dominates(c.Call, end) {
				continue
			}
			if lent, args := flow.Palloc(c.Call); api.Lends[lent] && flow.Of(args[0]) == of {
				f.At(posOf(use), "the result of %s is used after the %s at line %d", lent, name, f.Line(end.Pos()))
			}
		}
	}
}
