package checked

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Stacks, kept once each and named by a number.
//
// Invariant: a number is never used again for another stack. There are at most maxStacks;
// later ones are 0, which is none. Two calls with the same return addresses have the same stack.
//
// Cost: a walk along the frame pointers, and a look into a table. A stack that is new is walked as
// the runtime does, which takes microseconds, under a lock.

// A Stack is the number of a call stack, 0 for none.
type Stack uint32

const (
	depth     = 40      // frames that are kept of a stack, those of palloc and inlined ones included
	physical  = 24      // return addresses that tell stacks apart; those of palloc are up to 20 where nothing is inlined
	maxStacks = 1 << 20 // a program has some hundred
	recents   = 1 << 12
)

// site is a stack by its return addresses.
type site struct {
	pcs    [physical]uintptr
	number Stack
}

// recent are stacks that were seen lately, by a hash.
var recent [recents]atomic.Pointer[site]

// stacks are those that were seen.
var stacks struct {
	sync.Mutex
	sites  map[[physical]uintptr]*site
	frames [][]uintptr // by number, with inlined calls; the first is none
}

// capture returns the stack of the caller, without skip frames.
func capture(skip int) Stack {
	var pcs [physical]uintptr
	framePCs(&pcs)
	sum := uint64(0)
	for _, pc := range pcs {
		sum = (sum ^ uint64(pc)) * 0x9e3779b97f4a7c15
	}
	at := &recent[sum>>52]
	if s := at.Load(); s != nil && s.pcs == pcs {
		return s.number
	}
	s := siteOf(&pcs, skip+1)
	at.Store(s)
	return s.number
}

// siteOf is capture for a stack that was not seen lately.
func siteOf(pcs *[physical]uintptr, skip int) *site {
	stacks.Lock()
	defer stacks.Unlock()
	if s := stacks.sites[*pcs]; s != nil {
		return s
	}
	if stacks.sites == nil {
		stacks.sites, stacks.frames = map[[physical]uintptr]*site{}, [][]uintptr{nil}
	}
	s := &site{pcs: *pcs}
	if n := len(stacks.frames); n < maxStacks {
		var all [depth]uintptr
		s.number = Stack(n)
		stacks.frames = append(stacks.frames, slices.Clone(all[:runtime.Callers(skip+1, all[:])]))
		stacks.sites[*pcs] = s
	}
	return s
}

const module = "github.com/gopalloc/palloc"

// OfPalloc reports whether a function is palloc's, tests aside.
func OfPalloc(f *runtime.Frame) bool {
	rest, ok := strings.CutPrefix(f.Function, module)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/internal/") || strings.HasPrefix(rest, "/palloctest.")) &&
		!strings.HasSuffix(f.File, "_test.go")
}

// Frames returns the function of palloc that was called, "" if unknown, and the frames of the
// program, the innermost first.
func (s Stack) Frames() (op string, program []runtime.Frame) {
	if s == 0 {
		return "", nil
	}
	stacks.Lock()
	pcs := stacks.frames[s]
	stacks.Unlock()
	return Split(pcs)
}

// Split returns of a stack the function of palloc that was called, "" for none, and the
// frames of the program, the innermost first.
func Split(pcs []uintptr) (op string, program []runtime.Frame) {
	n := len(pcs)
	for n > 0 && pcs[n-1] == 0 {
		n--
	}
	frames := runtime.CallersFrames(pcs[:n])
	for more := n > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case len(program) == 0 && OfPalloc(&f):
			op = exported(f.Function, op)
		case f.Function == "runtime.goexit" || f.Function == "runtime.main":
		default:
			program = append(program, f)
		}
	}
	return op, program
}

// receiver removes what names a pointer receiver: "(*Buffer).Grow" becomes "Buffer.Grow".
var receiver = strings.NewReplacer("(*", "", ")", "")

// exported returns the name of a function of the root package as the API has it, or the one
// that is known so far.
func exported(function, known string) string {
	name, ok := strings.CutPrefix(function, module+".")
	if !ok {
		return known
	}
	name, _, _ = strings.Cut(name, "[")
	name = receiver.Replace(name)
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" || last[0] < 'A' || last[0] > 'Z' {
		return known
	}
	return name
}

func opOf(s Stack) string {
	op, _ := s.Frames()
	return op
}

// Place returns the file and line of the innermost frame of the program, "" if unknown.
func (s Stack) Place() string {
	_, program := s.Frames()
	if len(program) == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", shortFile(program[0].File), program[0].Line)
}

// By returns what was called, and where, as the end of a sentence, "" if unknown.
func (s Stack) By() string {
	op, _ := s.Frames()
	if op == "" {
		return at(s)
	}
	return " by " + op + at(s)
}

// shortFile returns the last two parts of a file's path.
func shortFile(file string) string {
	if i := strings.LastIndexByte(file, '/'); i > 0 {
		if j := strings.LastIndexByte(file[:i], '/'); j >= 0 {
			return file[j+1:]
		}
	}
	return file
}

// at returns the place of a stack as a part of a sentence.
func at(s Stack) string {
	if place := s.Place(); place != "" {
		return " at " + place
	}
	return ""
}
