package flow

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
)

// Which context memory belongs to.
//
// Invariant: where paths meet, memory belongs to a context only if it does on each path.
// Cost: a step for each value on the way, and for each path that meets.

// A Chunk is memory of a context. The zero Source is one that is not known.
type Chunk struct {
	Context Source
	At      ssa.Instruction // where it is computed: the call that allocated it, or joined paths
	Call    *ssa.Call       // the call that allocated it, or a Buffer's that lent it; nil for joined paths
	Whole   bool            // the value is what the call returned, not a part of it
}

// ChunkOf follows a pointer, slice or string back to the call of palloc that allocated it, or
// to that of a function of the package that allocates it in the context that is its argument.
func ChunkOf(v ssa.Value) (c Chunk, ok bool) { return search{}.chunk(v) }

// A search is the state of following a value.
type search struct {
	depth  int                // of functions that were entered
	joined map[ssa.Value]bool // the joined paths on the way, of loops
}

func (s search) chunk(v ssa.Value) (c Chunk, ok bool) {
	c.Whole = true
	for range 1000 { // longer chains are loops
		v = Of(v).Value
		if c, ok := s.returned(v); ok {
			return c, true
		}
		if phi, isPhi := v.(*ssa.Phi); isPhi {
			return s.join(phi, phi, phi.Edges)
		}
		if load, isLoad := IsLoad(v); isLoad && Cell(load.X) != nil {
			all, known := written(load)
			if !known {
				return c, false
			}
			return s.join(load, Cell(load.X), all)
		}
		next := part(v)
		if next != nil {
			_, isExtract := v.(*ssa.Extract)
			c.Whole = c.Whole && isExtract
			v = next
			continue
		}
		call, isCall := v.(*ssa.Call)
		if !isCall {
			return c, false
		}
		if context, known := s.allocated(call); known {
			return Chunk{context, call, call, c.Whole}, true
		}
		next = Aliased(call)
		if next == nil {
			return c, false
		}
		c.Whole, v = false, next
	}
	return c, false
}

// allocated returns the context of the memory that a call of palloc returns.
func (s search) allocated(call *ssa.Call) (context Source, ok bool) {
	name, args := Palloc(call)
	switch {
	case api.Allocates[name]:
		return Of(args[0]), true
	case api.Lends[name]:
		return BufferContext(args[0]), true
	case api.Resizes[name]:
		old, known := s.chunk(args[0])
		return old.Context, known
	}
	return Source{}, false
}

// join returns the chunk that may be one of several, if each is of the same context, or nil: a
// slice that a loop appends to.
func (s search) join(at ssa.Instruction, joint ssa.Value, all []ssa.Value) (c Chunk, ok bool) {
	if s.joined[joint] {
		return c, false
	}
	inner := search{s.depth, map[ssa.Value]bool{joint: true}}
	for v := range s.joined {
		inner.joined[v] = true
	}
	for _, v := range all {
		if _, isConst := v.(*ssa.Const); isConst || v == joint {
			continue
		}
		next, known := inner.chunk(v)
		if !known || ok && next.Context != c.Context {
			return Chunk{}, false
		}
		c, ok = Chunk{Context: next.Context, At: at}, true
	}
	return c, ok && c.Context.Value != nil
}

// Base follows a value back as ChunkOf does, but no further than what it is a part of.
func Base(v ssa.Value) Source {
	for range 1000 {
		of := Of(v)
		next := part(of.Value)
		if next == nil || of.Path != "" {
			return of
		}
		v = next
	}
	return Source{Value: v}
}

// part returns what v is a part of: a slice of a slice, the address of a field or element.
func part(v ssa.Value) ssa.Value {
	switch x := v.(type) {
	case *ssa.Slice:
		return x.X
	case *ssa.FieldAddr:
		return x.X
	case *ssa.IndexAddr:
		return x.X
	case *ssa.Extract:
		if call, ok := x.Tuple.(*ssa.Call); ok && x.Index == 0 || ok && Aliased(call) != nil {
			return call
		}
	}
	return nil
}

// BufferContext returns the context of a Buffer, the zero Source if it is not known.
func BufferContext(buffer ssa.Value) Source {
	if call, ok := Of(buffer).Value.(*ssa.Call); ok {
		if name, args := Palloc(call); name == "NewBuffer" {
			return Of(args[0])
		}
	}
	return Source{}
}

// aliases are functions whose results, of the type of the first argument, may be a part of it
// without a copy.
var aliases = map[string]bool{}

func init() {
	for _, name := range []string{
		"Trim", "TrimFunc", "TrimLeft", "TrimLeftFunc", "TrimPrefix", "TrimRight", "TrimRightFunc",
		"TrimSpace", "TrimSuffix", "Cut", "CutPrefix", "CutSuffix",
	} {
		aliases["strings."+name] = true
		aliases["bytes."+name] = true
	}
	for _, name := range []string{"ToLower", "ToUpper", "Replace", "ReplaceAll", "ToValidUTF8", "Map"} {
		aliases["strings."+name] = true // they return the argument if there is nothing to change
	}
	aliases["slices.Clip"] = true
}

// Aliased returns the value of which the result of a call is a part, nil if it is none or
// not known.
func Aliased(call *ssa.Call) ssa.Value {
	if b, ok := call.Call.Value.(*ssa.Builtin); ok {
		switch b.Name() {
		case "String", "StringData", "Slice", "SliceData", "Add": // of package unsafe
			return call.Call.Args[0]
		}
		return nil
	}
	name := FullName(&call.Call)
	switch {
	case name == "strings.Map":
		return call.Call.Args[1]
	case aliases[name]:
		return call.Call.Args[0]
	}
	return nil
}
