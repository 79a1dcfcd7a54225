package palloc

import (
	"sync"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Critical sections, in which running out of memory must not happen, and the context
// for emergencies, which always has some.
//
// Invariant: the emergency context holds a block of 8 KiB from its creation to its end.
//
// Cost: that of a budget while a section is open.

// EnterCritical opens a critical section: until leave is called, contexts of the
// subtree cannot buy memory wholesale, which is a *Fault, but for those that
// AllowInCriticalSection allows it. What their blocks have left they may sell.
// Sections may be nested. leave is to be called once. The budget that a section opens
// stays for the next one, until SetLimit or SetSoftLimit with NoLimit, or StopPeak, finds
// it of no use. Any goroutine.
//
// PostgreSQL: START_CRIT_SECTION, END_CRIT_SECTION.
func (mc Context) EnterCritical() (leave func()) {
	return budget.EnterCritical(mc.ref, "Context.EnterCritical")
}

// AllowInCriticalSection says whether the context may buy memory in a critical
// section; contexts that are created below it later may, too. Any goroutine.
//
// PostgreSQL: MemoryContextAllowInCriticalSection.
func (mc Context) AllowInCriticalSection(allow bool) {
	budget.AllowInCritical(mc.ref, "Context.AllowInCriticalSection", allow)
}

// Emergency is the context for what must be said when memory ran out: an AllocSet
// below Top that holds a block of 8 KiB at any time, a reset included, and may buy
// more in critical sections. The first call makes it: call it early. It cannot be
// deleted; a reset of Top takes it like all others, and the next call makes another.
// It belongs to whoever handles the emergency: guard it with a lock where
// several may.
//
// PostgreSQL: ErrorContext.
func Emergency() Context {
	if mc, made := keepEmergency(Context{}); made {
		return mc
	}
	made := newEmergency() // without the lock: a callback of OnPressure may want it, too
	mc, _ := keepEmergency(made)
	if mc != made {
		made.Delete() // another goroutine was faster
	}
	return mc
}

// keepEmergency is the emergency context, which made becomes if there is none, and
// whether there is one.
func keepEmergency(made Context) (mc Context, there bool) {
	emergency.Lock()
	defer emergency.Unlock()
	if !emergency.context.Live() && made.Live() {
		emergency.context = made
		tree.Lock()
		defer tree.Unlock()
		s := made.slot()
		relaxed.Store32(&s.Has, s.Has|tree.IsPermanent)
	}
	return emergency.context, emergency.context.Live()
}

var emergency struct {
	sync.Mutex
	context Context
}

func newEmergency() Context {
	const size = 8 << 10
	mc := Context{tree.CreateWith(Top().ref, allocset.ID, "ErrorContext", tree.Options{First: size, Max: size, Prepare: func(c *kind.Core, _ uintptr) error {
		c.DropKeeper() // of another context of that name: it may be smaller
		return nil
	}})}
	mc.AllowInCriticalSection(true)
	p, err := mc.TryAlloc(1) // buys the block
	if err != nil {
		mc.Delete()
		panic(err)
	}
	FreePointer(p)
	mc.Reset() // and keeps it
	return mc
}
