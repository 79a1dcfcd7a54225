package tree

import (
	"fmt"
	"path"
	"runtime"
	"sync"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Creations: when and where contexts were created.
//
// Invariant: an entry is about the life of the node that its epoch names. While creations
// are recorded no node is cached, since a cached one becomes a context without the lock:
// every context has the bit HasCreation, which makes its end take the lock. Only a deletion
// that was at work when the recording began may still cache its node. The tree's lock guards
// all of this.
//
// Cost: a look at a flag where a creation takes the lock. While it is on, about a
// microsecond for each creation, and 24 bytes on Go's heap for each of the 256 nodes next
// to one that is known here.
var creations struct {
	recorders int // calls of RecordCreations that were not stopped; 0: none are recorded
	known     SideTable[creation]
	stacks    map[Callers]uint32 // seen lately: the numbers of their lines
	lines     []string           // each once; the first is none
	numbers   map[string]uint32
}

// creation is when and where one life of a node began.
type creation struct {
	epoch uint64
	at    time.Duration // since Began: of the creation, if that was recorded, else when it was first seen
	line  uint32        // in creations.lines, 0 not recorded
}

// Callers are the innermost callers of a function: palloc's own, and the program's.
type Callers [16]uintptr

const maxStacks = 4096 // in creations.stacks

// began is when the process began to use palloc.
var began = time.Now()

// Now returns the time since the process began to use palloc.
func Now() time.Duration { return time.Since(began) }

// RecordCreations has creations recorded until stop is called; of several calls, until the
// last stop. It takes a step for each node. Any goroutine; stop, too.
func RecordCreations() (stop func()) {
	addRecorders(1)
	EachNode(func(s *Node) {
		switch {
		case s.Evict():
		case s.Ref().Owned(), s.Parent != 0: // a linked one is becoming a context
			relaxed.Store32(&s.Has, s.Has|HasCreation)
		}
	})
	return sync.OnceFunc(func() { addRecorders(-1) })
}

func addRecorders(n int) {
	Lock()
	creations.recorders += n
	Unlock()
}

// EachNode calls do with each node but shards, under the lock for some at a time. Whether
// do is called with a node that is handed out for the first time meanwhile is not defined.
func EachNode(do func(s *Node)) {
	for i, n := uint32(1), kind.Slots(); i < n; Pass() {
		Lock()
		for more := true; more && i < n; i++ {
			if s := At(i); relaxed.Load32(&s.Has)&kind.IsShard == 0 {
				do(s)
			}
			more = Step(1)
		}
		Unlock()
	}
}

// recordCreation notes that the node has just become a context. The tree's lock must be
// held.
func (s *Node) recordCreation() {
	var pcs Callers
	runtime.Callers(3, pcs[:]) // skips Callers, recordCreation and its caller
	line, known := creations.stacks[pcs]
	if !known {
		line = lineNumber(pcs.Line())
		if creations.stacks == nil || len(creations.stacks) == maxStacks {
			creations.stacks = make(map[Callers]uint32)
		}
		creations.stacks[pcs] = line
	}
	*creations.known.At(s.Number()) = creation{s.Epoch, Now(), line}
	relaxed.Store32(&s.Has, s.Has|HasCreation)
}

// lineNumber returns the number of a line. The tree's lock must be held.
func lineNumber(line string) uint32 {
	if n, known := creations.numbers[line]; known {
		return n
	}
	if creations.numbers == nil {
		creations.numbers, creations.lines = map[string]uint32{"": 0}, []string{""}
	}
	n := uint32(len(creations.lines))
	creations.lines, creations.numbers[line] = append(creations.lines, line), n
	return n
}

// Line returns the line of the innermost caller outside of palloc.
func (c *Callers) Line() string {
	frames := runtime.CallersFrames(c[:])
	for {
		f, more := frames.Next()
		if f.Function == "" || !checked.OfPalloc(&f) || !more {
			return fmt.Sprintf("%s:%d %s", path.Base(f.File), f.Line, f.Function)
		}
	}
}

// forgetCreation forgets the creation of a node that is freed. The tree's lock must be
// held.
func (s *Node) forgetCreation() {
	if s.Has&HasCreation == 0 {
		return
	}
	if c := creations.known.Look(s.Number()); c != nil {
		*c = creation{}
	}
}

// Age returns how long the context is known to have existed; 0 when it is seen for the
// first time. The tree's lock must be held.
func (mc Ref) Age(now time.Duration) time.Duration {
	c := creations.known.At(mc.Core.Number())
	if c.epoch != mc.Epoch {
		*c = creation{epoch: mc.Epoch, at: now}
	}
	return now - c.at
}

// CreatedAt returns the number of the line that created the context, 0 when that is not
// recorded. Numbers never change. The tree's lock must be held.
func (mc Ref) CreatedAt() uint32 {
	if c := creations.known.Look(mc.Core.Number()); c != nil && c.epoch == mc.Epoch {
		return c.line
	}
	return 0
}

// LineText returns the line of a number. The tree's lock must be held.
func LineText(line uint32) string {
	if line == 0 {
		return ""
	}
	return creations.lines[line]
}

// ForgetCreations frees pages that only know of lives that are over. It takes a step for
// each node that is known.
func ForgetCreations() {
	for p, more := 0, true; more; Pass() {
		Lock()
		for ; p < len(creations.known) && Step(1); p++ {
			forgetIfOver(p)
		}
		more = p < len(creations.known)
		Unlock()
	}
}

// forgetIfOver frees a page if it only knows of lives that are over. The tree's lock must
// be held.
func forgetIfOver(p int) {
	page := creations.known[p]
	if page == nil {
		return
	}
	for i := range page {
		epoch := page[i].epoch // 0 is no life's, and none is known of a number that no node has
		Step(1)
		if epoch != 0 && relaxed.Load64(&At(uint32(p*len(page)+i)).Epoch) == epoch {
			return
		}
	}
	creations.known[p] = nil
}
