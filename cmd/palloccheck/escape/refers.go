package escape

import (
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Which values lead to memory of a context.
//
// Invariant: a value leads there if it does on one of the paths to it. What was read from
// memory does only if the store is in sight.

// belongs reports whether a context is that of the lifetime, or was created below it.
func (l *lifetime) belongs(context flow.Source) bool {
	for range 100 {
		if context == l.context {
			return true
		}
		created := flow.Created(context)
		if created == nil || flow.IsMoved(created) {
			return false
		}
		context = flow.Of(created.Call.Args[0])
	}
	return false
}

// refers reports whether v is memory of the context, or Go memory that points there.
func (l *lifetime) refers(v ssa.Value) bool {
	if found, ok := l.known[v]; ok {
		return found
	}
	l.known[v] = false // of a loop
	found := holdsPointers(v.Type()) && l.find(v)
	l.known[v] = found
	return found
}

func (l *lifetime) find(v ssa.Value) bool {
	if c, ok := flow.ChunkOf(v); ok {
		return l.belongs(c.Context)
	}
	source := flow.Of(v).Value
	if source != v {
		return l.refers(source)
	}
	switch x := v.(type) {
	case *ssa.Phi:
		for _, edge := range x.Edges {
			if l.refers(edge) {
				return true
			}
		}
	case *ssa.MakeInterface:
		return l.refers(x.X)
	case *ssa.ChangeInterface:
		return l.refers(x.X)
	case *ssa.TypeAssert:
		return l.refers(x.X)
	case *ssa.Slice:
		return l.refers(x.X)
	case *ssa.FieldAddr:
		return l.refers(x.X)
	case *ssa.IndexAddr:
		return l.refers(x.X)
	case *ssa.Alloc, *ssa.MakeMap, *ssa.MakeSlice:
		return l.holds(v)
	case *ssa.UnOp:
		return x.Op == token.MUL && l.loaded(x)
	case *ssa.Field:
		return l.field(x)
	case *ssa.Call:
		return l.result(x)
	}
	return false
}

// holds reports whether memory of the context is stored in the memory at v.
func (l *lifetime) holds(v ssa.Value) bool {
	for {
		s, ok := v.(*ssa.Slice)
		if !ok {
			break
		}
		v = s.X
	}
	found := false
	eachStore(v, "", func(path string, at ssa.Instruction, stored ssa.Value) {
		found = found || l.refers(stored) && !l.laterStore(v, path, at)
	})
	return found
}

// loaded reports whether what is read refers to the context: it was stored there in sight.
func (l *lifetime) loaded(load *ssa.UnOp) bool {
	root, path := rootOf(load.X)
	found := false
	eachStore(root, "", func(p string, at ssa.Instruction, stored ssa.Value) {
		if p == path || strings.HasPrefix(p, path+".") || path == "" {
			found = found || l.refers(stored) && flow.Reaches(at, load) && !l.laterStore(root, p, at)
		}
	})
	return found
}

// field reports whether a field of a struct value refers to the context.
func (l *lifetime) field(x *ssa.Field) bool {
	load, ok := flow.IsLoad(x.X)
	if !ok {
		return false
	}
	root, path := rootOf(load.X)
	path += fieldPath(x.Field)
	found := false
	eachStore(root, "", func(p string, at ssa.Instruction, stored ssa.Value) {
		found = found || p == path && l.refers(stored) && !l.laterStore(root, p, at)
	})
	return found
}

// result reports whether the result of a call refers to the context since an argument does.
func (l *lifetime) result(call *ssa.Call) bool {
	args := call.Call.Args
	if b, ok := call.Call.Value.(*ssa.Builtin); ok && b.Name() == "append" {
		return l.refers(args[0]) || len(args) > 1 && elementsHold(args[1].Type()) && l.holds(args[1])
	}
	if name, args := flow.Palloc(call); name == "NewBuffer" {
		return l.belongs(flow.Of(args[0]))
	}
	switch flow.FullName(&call.Call) {
	case "errors.New":
		return l.refers(args[0])
	case "errors.Join":
		return l.holds(args[0])
	case "fmt.Errorf":
		return wraps(args[0]) && l.wrapped(args[1])
	case "strings.Split", "strings.SplitN", "strings.Fields", "bytes.Split", "bytes.SplitN", "bytes.Fields":
		return l.refers(args[0])
	}
	return false
}

// wraps reports whether a format wraps an error. What other verbs print is a copy.
func wraps(format ssa.Value) bool {
	c, ok := format.(*ssa.Const)
	return ok && c.Value != nil && strings.Contains(constant.StringVal(c.Value), "%w")
}

// wrapped reports whether an error among the arguments refers to the context.
func (l *lifetime) wrapped(arguments ssa.Value) bool {
	all, _ := flow.Elements(arguments)
	for _, a := range all {
		var t types.Type
		switch a := a.(type) {
		case *ssa.MakeInterface:
			t = a.X.Type()
		case *ssa.ChangeInterface:
			t = a.X.Type()
		default:
			continue
		}
		if types.Implements(t, errorType) && l.refers(a) {
			return true
		}
	}
	return false
}
