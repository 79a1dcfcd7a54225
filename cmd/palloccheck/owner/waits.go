package owner

import (
	"go/token"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// What may wait for another goroutine, or order two of them, ends what the analyzer follows.

// waits reports whether an instruction may wait for another goroutine: a channel, a lock, a
// method that is called Wait or alike, or a function that is not known.
func waits(i ssa.Instruction) bool { return mayWait(i, 0) }

func mayWait(i ssa.Instruction, depth int) bool {
	switch i := i.(type) {
	case *ssa.Send, *ssa.Select:
		return true
	case *ssa.UnOp:
		return i.Op == token.ARROW
	case *ssa.Call:
		return calledWaits(&i.Call, i, depth)
	}
	return false
}

var waiting = regexp.MustCompile(`(?i)wait|lock|close|stop|join|shutdown|done|sleep|sched|cancel|finish|serve|run`)

func calledWaits(c *ssa.CallCommon, at ssa.Instruction, depth int) bool {
	if b, ok := c.Value.(*ssa.Builtin); ok {
		return b.Name() == "close"
	}
	if c.IsInvoke() {
		return waiting.MatchString(c.Method.Name())
	}
	fn := c.StaticCallee()
	if fn == nil {
		return true
	}
	for _, a := range c.Args {
		if _, started := startOf(at); !started && isFunc(a.Type()) && literalWaits(flow.Literal(a), depth) {
			return true
		}
	}
	if len(fn.Blocks) > 0 && fn.Pkg == at.Parent().Pkg {
		return literalWaits(fn, depth)
	}
	return namedWaits(flow.Callee(c))
}

// namedWaits reports whether a function of another package may wait, by its name.
func namedWaits(f *types.Func) bool {
	if f == nil || f.Pkg() == nil {
		return true
	}
	switch path := f.Pkg().Path(); {
	case path == "sync" && f.Signature().Recv() != nil && (f.Name() == "Add" || f.Name() == "Go" || f.Name() == "Done"):
		return false
	case path == "sync" || strings.HasPrefix(path, "sync/"):
		return true
	}
	return waiting.MatchString(f.Name())
}

// literalWaits reports whether a function may wait. One that is not known, or too deep, may.
func literalWaits(fn *ssa.Function, depth int) bool {
	if fn == nil || depth >= maxDepth {
		return true
	}
	for i := range flow.Instructions(fn) {
		if mayWait(i, depth+1) {
			return true
		}
	}
	return false
}

func isFunc(t types.Type) bool {
	_, ok := t.Underlying().(*types.Signature)
	return ok
}
