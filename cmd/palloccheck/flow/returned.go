package flow

import "golang.org/x/tools/go/ssa"

// Functions of the package that return memory of a context which they are given.
//
// Invariant: each of their returns gives such memory, or a constant.

// maxDepth bounds how many functions of the package are followed, one called by the other.
const maxDepth = 4

// returned tells the context of a result of a function of this package, if the function
// allocates it in a context that is its parameter.
func (s search) returned(v ssa.Value) (c Chunk, ok bool) {
	call, index := resultOf(v)
	if call == nil || s.depth == maxDepth {
		return c, false
	}
	fn := call.Call.StaticCallee()
	if fn == nil || len(fn.Blocks) == 0 || fn.Origin() != nil || fn.Pkg != call.Parent().Pkg {
		return c, false
	}
	param := -1
	for i := range Instructions(fn) {
		ret, isReturn := i.(*ssa.Return)
		if !isReturn {
			continue
		}
		if isConst(ret.Results[index]) {
			continue
		}
		inner, known := search{depth: s.depth + 1}.chunk(ret.Results[index])
		at := parameter(fn, inner.Context)
		if !known || at < 0 || param >= 0 && at != param {
			return c, false
		}
		param = at
	}
	if param < 0 {
		return c, false
	}
	return Chunk{Context: Of(call.Call.Args[param]), At: call, Call: call}, true
}

// resultOf returns the call of which v is a result, and its index.
func resultOf(v ssa.Value) (call *ssa.Call, index int) {
	if e, ok := v.(*ssa.Extract); ok {
		call, _ = e.Tuple.(*ssa.Call)
		return call, e.Index
	}
	call, _ = v.(*ssa.Call)
	return call, 0
}

// parameter returns the index of the parameter that a source is, -1 if it is none.
func parameter(fn *ssa.Function, s Source) int {
	for i, p := range fn.Params {
		if s.Value == p && s.Path == "" {
			return i
		}
	}
	return -1
}
