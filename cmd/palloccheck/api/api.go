// Package api says what the functions of palloc do, as far as the analyzers need it.
//
// Invariant: every name is one of palloc's, a method as "Type.Name"; a test compares the tables
// with palloc's signatures and comments.
package api

import "go/types"

// Path is the import path of palloc.
const Path = "github.com/gopalloc/palloc"

// Name returns the name of a function or method of palloc, "" for all others.
func Name(f *types.Func) string {
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != Path {
		return ""
	}
	recv := f.Signature().Recv()
	if recv == nil {
		return f.Name()
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name() + "." + f.Name()
	}
	return ""
}

// Is reports whether t is the named type of palloc.
func Is(t types.Type, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == Path
}

// IsContext reports whether t is palloc.Context.
func IsContext(t types.Type) bool { return Is(t, "Context") }

// IsBuffer reports whether t is *palloc.Buffer.
func IsBuffer(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && Is(p.Elem(), "Buffer")
}

// Imports reports whether the package imports palloc.
func Imports(p *types.Package) bool {
	for _, i := range p.Imports() {
		if i.Path() == Path {
			return true
		}
	}
	return false
}
