package flow

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
)

// A Chunk is memory of a context. The zero Source is one that is not known.
type Chunk struct {
	Context Source
	Call    *ssa.Call // the call that allocated it, or a Buffer's that lent it
	Whole   bool      // the value is what the call returned, not a part of it
}

// ChunkOf follows a pointer, slice or string back to the call of palloc that allocated it, or
// to that of a function of the package that allocates it in the context that is its argument.
func ChunkOf(v ssa.Value) (c Chunk, ok bool) { return chunkOf(v, 0) }

func chunkOf(v ssa.Value, depth int) (c Chunk, ok bool) {
	c.Whole = true
	for range 1000 { // longer chains are loops
		v = Of(v).Value
		if c, ok := returned(v, depth); ok {
			return c, true
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
		name, args := Palloc(call)
		switch {
		case api.Allocates[name]:
			c.Context, c.Call = Of(args[0]), call
			return c, true
		case api.Lends[name]:
			c.Context, c.Call = BufferContext(args[0]), call
			return c, true
		case api.Resizes[name]:
			old, known := chunkOf(args[0], depth)
			return Chunk{old.Context, call, c.Whole}, known
		}
		next = Aliased(call)
		if next == nil {
			return c, false
		}
		c.Whole, v = false, next
	}
	return c, false
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
