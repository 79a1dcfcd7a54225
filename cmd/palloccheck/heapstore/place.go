package heapstore

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Whether a struct is in a context.

// inContext reports whether the struct around a field is in a context. That of a variable or
// of a literal is if it is copied there, and one behind any other pointer is by its promise. The
// elements of a slice that is not known may be on Go's heap.
func inContext(address ssa.Value) bool {
	for {
		switch x := address.(type) {
		case *ssa.FieldAddr:
			address = x.X
			continue
		case *ssa.IndexAddr:
			address = x.X
			continue
		case *ssa.Slice:
			address = x.X
			continue
		}
		source := flow.Of(address)
		if source.Value == address || source.Path != "" {
			break
		}
		address = source.Value
	}
	switch x := address.(type) {
	case *ssa.Alloc:
		return isCopied(x, 0)
	case *ssa.MakeSlice, *ssa.Global, *ssa.FreeVar:
		return false
	case *ssa.Call:
		_, ok := flow.ChunkOf(x)
		return ok
	case *ssa.Extract:
		_, ok := flow.ChunkOf(x)
		return ok
	case *ssa.UnOp:
		return x.Op == token.MUL && !isGlobal(x.X) && (isPointer(x) || promised(x.X))
	case *ssa.Parameter:
		return true
	}
	return false
}

func isGlobal(v ssa.Value) bool {
	_, ok := v.(*ssa.Global)
	return ok
}

func isPointer(v ssa.Value) bool {
	_, ok := v.Type().Underlying().(*types.Pointer)
	return ok
}

// isCopied reports whether the content of Go memory is copied to a context: by Append or
// Clone, or by a store through a pointer to a context.
func isCopied(v ssa.Value, depth int) bool {
	if depth > 5 {
		return false
	}
	for _, use := range *v.Referrers() {
		switch use := use.(type) {
		case *ssa.Slice:
			if isCopied(use, depth+1) {
				return true
			}
		case *ssa.UnOp:
			if use.Op == token.MUL && isStored(use, depth) {
				return true
			}
		case *ssa.Call:
			if name, args := flow.Palloc(use); copies(name, args, v) {
				return true
			}
		}
	}
	return false
}

// copies reports whether a function of palloc copies the elements of v to a context.
func copies(name string, args []ssa.Value, v ssa.Value) bool {
	switch name {
	case "Append", "TryAppend":
		return args[2] == v
	case "Clone", "TryClone":
		return args[1] == v
	}
	return false
}

// isStored reports whether a struct value is stored in a context.
func isStored(v ssa.Value, depth int) bool {
	for _, use := range *v.Referrers() {
		s, ok := use.(*ssa.Store)
		if !ok || s.Val != v {
			continue
		}
		if _, isChunk := flow.ChunkOf(s.Addr); isChunk {
			return true
		}
		switch to := s.Addr.(type) {
		case *ssa.IndexAddr: // of the arguments of Append
			if array, ok := to.X.(*ssa.Alloc); ok && isArray(array) && isCopied(array, depth+1) {
				return true
			}
		case *ssa.Alloc:
			if isCopied(to, depth+1) {
				return true
			}
		}
	}
	return false
}

func isArray(v *ssa.Alloc) bool {
	_, ok := v.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Array)
	return ok
}
