package palloc

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Creations: when and where contexts were created.
//
// Invariant: what is known of a core is about the life that its epoch names. While
// creations are recorded no core is parked, since a parked one is handed out without
// the lock: every context has a bit in Has, which keeps its end from being a short
// one. The tree's lock guards all of this.
//
// Cost: nothing but a look at a flag where a creation takes the lock. While it is on,
// about a microsecond for each creation; 24 bytes on Go's heap for each of the 256
// cores next to one that is known here.
var creations struct {
	on      bool
	known   sideTable[creation]
	stacks  map[callers]uint32 // that came by lately: the numbers of their lines
	lines   []string           // each once; the first is none
	numbers map[string]uint32
}

// creation is what is known of the beginning of one life of a core.
type creation struct {
	epoch uint64
	at    time.Duration // since palloc began: of the creation, if that was recorded, else when it was first seen
	line  uint32        // in creations.lines, 0 not recorded
}

// callers are the innermost callers of a creation: palloc's own, and the program's.
type callers [16]uintptr

const mostStacks = 4096 // in creations.stacks

var began = time.Now()

// RecordCreations switches on or off that each context's time and place of creation
// are kept, for Leaks and for TieFunc. It is meant for tests, and for a while in a
// process that leaks: a creation then takes about a microsecond. What was recorded
// stays until the context is deleted. Contexts that existed before, and those that
// are being created at the very moment, have no record. It is the process's; it is
// off at first. Any goroutine. Cost: a step for each context that there was at the most.
//
// PostgreSQL has none.
func RecordCreations(on bool) {
	tree.Lock()
	creations.on = on
	tree.Unlock()
	if !on {
		return
	}
	eachCore(func(s *core) {
		switch {
		case s.interred():
		case handle(&s.Core).owned(), s.parent != 0: // those just becoming contexts, too
			relaxed.Store32(&s.Has, s.Has|hasCreation)
		}
	})
}

// eachCore calls do with each core but parts, under the lock for some at a time. Those
// that are handed out for the first time meanwhile come by or not.
func eachCore(do func(s *core)) {
	for i, n := uint32(1), kind.Slots(); i < n; tree.pass() {
		tree.Lock()
		for more := true; more && i < n; i++ {
			if s := coreAt(i); relaxed.Load32(&s.Has)&kind.IsShard == 0 {
				do(s)
			}
			more = tree.step(1)
		}
		tree.Unlock()
	}
}

// recordCreation notes that the core has just become a context. The tree's lock must
// be held.
func (s *core) recordCreation() {
	var pcs callers
	runtime.Callers(3, pcs[:]) // neither Callers, nor this, nor who calls it
	line, known := creations.stacks[pcs]
	if !known {
		line = lineNumber(pcs.line())
		if creations.stacks == nil || len(creations.stacks) == mostStacks {
			creations.stacks = make(map[callers]uint32)
		}
		creations.stacks[pcs] = line
	}
	*creations.known.at(s.Number()) = creation{s.Epoch, time.Since(began), line}
	relaxed.Store32(&s.Has, s.Has|hasCreation)
}

// lineNumber is the number of a line. The tree's lock must be held.
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

// ours is what the names of this package's functions begin with.
var ours = reflect.TypeFor[Context]().PkgPath() + "."

// line is that of the innermost caller outside of this package.
func (c *callers) line() string {
	frames := runtime.CallersFrames(c[:])
	for {
		f, more := frames.Next()
		if f.Function == "" || !strings.HasPrefix(f.Function, ours) || !more {
			return fmt.Sprintf("%s:%d %s", path.Base(f.File), f.Line, f.Function)
		}
	}
}

// forgetCreation is for a core that is given back. The tree's lock must be held.
func (s *core) forgetCreation() {
	if s.Has&hasCreation == 0 {
		return
	}
	if c := creations.known.look(s.Number()); c != nil {
		*c = creation{}
	}
}

// age is how long the context is known to have existed; 0 when it is seen for the
// first time. The tree's lock must be held.
func (mc Context) age(now time.Duration) time.Duration {
	c := creations.known.at(mc.core.Number())
	if c.epoch != mc.epoch {
		*c = creation{epoch: mc.epoch, at: now}
	}
	return now - c.at
}

// createdAt is the number of the line that created the context, 0 when that is not
// recorded. The tree's lock must be held.
func (mc Context) createdAt() uint32 {
	if c := creations.known.look(mc.core.Number()); c != nil && c.epoch == mc.epoch {
		return c.line
	}
	return 0
}

// lineText is the line of a number. The tree's lock must be held.
func lineText(line uint32) string {
	if line == 0 {
		return ""
	}
	return creations.lines[line]
}

// forgetTheDead lets go of pages that only know of lives that are over. Cost: a step for
// each core that is known.
func forgetTheDead() {
	for p, more := 0, true; more; tree.pass() {
		tree.Lock()
		for ; p < len(creations.known) && tree.step(1); p++ {
			forgetIfDead(p)
		}
		more = p < len(creations.known)
		tree.Unlock()
	}
}

// forgetIfDead lets go of a page if that only knows of lives that are over. The tree's
// lock must be held.
func forgetIfDead(p int) {
	page := creations.known[p]
	if page == nil {
		return
	}
	for i := range page {
		epoch := page[i].epoch // 0 is nobody's, and a number that no core has knows none
		tree.step(1)
		if epoch != 0 && relaxed.Load64(&coreAt(uint32(p*len(page)+i)).Epoch) == epoch {
			return
		}
	}
	creations.known[p] = nil
}
