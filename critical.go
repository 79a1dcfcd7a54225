package palloc

import (
	"sync"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Critical sections, in which running out of memory must not happen, and the emergency
// context, which always has memory.
//
// Invariant: the emergency context holds a block of 8 KiB as long as it lives.
//
// Cost: that of a budget while a section is open.

// EnterCritical opens a critical section: until leave is called, a context of the subtree
// that needs a new block panics with a *Fault, unless AllowInCriticalSection exempts it.
// Chunks that fit in the blocks it already holds are allocated as usual. Sections nest.
// leave ends the section, from any goroutine; further calls of it do nothing. The budget
// that a section opens stays for the next section. SetLimit or SetSoftLimit with NoLimit, or
// StopPeak, closes it when nothing else needs it. Any goroutine.
//
// PostgreSQL: START_CRIT_SECTION, END_CRIT_SECTION.
func (mc Context) EnterCritical() (leave func()) {
	return budget.EnterCritical(mc.ref, "Context.EnterCritical")
}

// AllowInCriticalSection sets whether the context, and contexts created below it later, may
// acquire blocks in a critical section. Any goroutine.
//
// PostgreSQL: MemoryContextAllowInCriticalSection.
func (mc Context) AllowInCriticalSection(allow bool) {
	budget.AllowInCritical(mc.ref, "Context.AllowInCriticalSection", allow)
}

// Emergency returns the context for handling an out-of-memory error: an AllocSet below Top
// that always holds a block of 8 KiB, also over a reset and Compact, and may acquire more in
// critical sections. The first call creates it: call it early. It cannot be deleted or moved,
// but a reset of Top deletes it, and the next call creates another. It belongs to the goroutine that
// handles the error: guard it with a lock if several may. Emergency panics with an
// *OutOfMemoryError when the system refuses memory. Any goroutine.
//
// PostgreSQL: ErrorContext.
func Emergency() Context {
	if mc, made := keepEmergency(Context{}); made {
		return mc
	}
	made := newEmergency() // without the lock: a callback of OnPressure may call Emergency, too
	mc, _ := keepEmergency(made)
	if mc != made {
		made.Delete() // another goroutine was faster
	}
	return mc
}

// keepEmergency returns the emergency context, and reports whether there is one. If there
// is none, made becomes it.
func keepEmergency(made Context) (mc Context, there bool) {
	emergency.Lock()
	defer emergency.Unlock()
	if !emergency.context.Live() && made.Live() {
		emergency.context = made
		tree.Lock()
		defer tree.Unlock()
		s := made.ref.Node()
		relaxed.Store32(&s.Has, s.Has|tree.IsPermanent|kind.KeepsBlock)
	}
	return emergency.context, emergency.context.Live()
}

var emergency struct {
	sync.Mutex
	context Context
}

func newEmergency() Context {
	const size = 8 << 10
	mc := Context{tree.CreateWith(Top().ref, allocset.ID, "ErrorContext", tree.Options{First: size, Max: size, Unchecked: true, Prepare: func(c *kind.Core, _ uintptr) error {
		c.DropKeeper() // an earlier context of the name kept it: it may be smaller
		return nil
	}})}
	mc.AllowInCriticalSection(true)
	p, err := mc.TryAlloc(1) // acquires the block
	if err != nil {
		mc.Delete()
		panic(err)
	}
	FreePointer(p)
	mc.Reset() // and keeps it
	return mc
}
