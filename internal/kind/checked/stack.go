package checked

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// Stacks, kept once each and named by a number.
//
// Invariant: a number is never used again for another stack. There are at most maxStacks;
// later ones are 0, which is none.
//
// Cost: the walk over the stack, and a look into a map under a lock for readers.

// A Stack is the number of a call stack, 0 for none.
type Stack uint32

const (
	depth     = 24      // frames that are kept of a stack, those of palloc included
	maxStacks = 1 << 20 // a program has some hundred
	shards    = 16
)

type stackKey [depth]uintptr

// stacks are those that were seen.
var stacks struct {
	sync.Mutex
	all []*stackKey // by number; the first is none
	by  [shards]struct {
		sync.RWMutex
		numbers map[stackKey]Stack
	}
}

// capture returns the stack of the caller, without skip frames.
func capture(skip int) Stack {
	var key stackKey
	if runtime.Callers(skip+1, key[:]) == 0 {
		return 0
	}
	sum := uintptr(0)
	for _, pc := range key[:12] {
		sum = sum*31 + pc
	}
	at := &stacks.by[(sum^sum>>13)%shards]
	at.RLock()
	n, ok := at.numbers[key]
	at.RUnlock()
	if ok {
		return n
	}
	at.Lock()
	defer at.Unlock()
	if n, ok = at.numbers[key]; ok {
		return n
	}
	if at.numbers == nil {
		at.numbers = map[stackKey]Stack{}
	}
	n = newStack(key)
	at.numbers[key] = n
	return n
}

func newStack(key stackKey) Stack {
	stacks.Lock()
	defer stacks.Unlock()
	if len(stacks.all) == 0 {
		stacks.all = append(stacks.all, nil)
	}
	if len(stacks.all) == maxStacks {
		return 0
	}
	stacks.all = append(stacks.all, &key)
	return Stack(len(stacks.all) - 1)
}

const module = "github.com/gopalloc/palloc"

// ofPalloc reports whether a function is palloc's, tests aside.
func ofPalloc(f *runtime.Frame) bool {
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
	key := stacks.all[s]
	stacks.Unlock()
	return Split(key[:])
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
		case len(program) == 0 && ofPalloc(&f):
			op = exported(f.Function, op)
		case f.Function == "runtime.goexit" || f.Function == "runtime.main":
		default:
			program = append(program, f)
		}
	}
	return op, program
}

// exported returns the name of a function of the root package as the API has it, or the one
// that is known so far.
func exported(function, known string) string {
	name, ok := strings.CutPrefix(function, module+".")
	if !ok {
		return known
	}
	name, _, _ = strings.Cut(name, "[")
	name = strings.NewReplacer("(*", "", ")", "").Replace(name)
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
