package palloc

// The ends of chunks and of contexts.
//
// Invariant: children end before parents. The callbacks of one context run once each, the
// latest first. A callback that panics stops the operation there, and leaves a tree that
// can be reset and deleted as before.
//
// Cost: a context that allocated nothing is reset by a few compares, one that stayed within
// its keeper by a few words more; otherwise each block but the keeper is released.

// Reset deletes all contexts below this one and takes all its chunks back. The context
// stays, with a keeper of at most 8 KiB. Owner only.
//
// PostgreSQL: MemoryContextReset.
func (mc Context) Reset() { mc.ref.Reset() }

// ResetOnly takes all chunks of the context back and leaves the contexts below it
// unchanged. Owner only.
//
// PostgreSQL: MemoryContextResetOnly.
func (mc Context) ResetOnly() { mc.ref.ResetOnly() }

// ResetChildren resets every context below this one, children before parents, and deletes
// none. One that a callback of BeforeReset moves away before its turn is not reset. The
// context itself stays as it is. Owner only, of all of them.
//
// PostgreSQL: MemoryContextResetChildren, which goes parents first.
func (mc Context) ResetChildren() { mc.ref.ResetChildren() }

// Delete ends the context and all contexts below it. Their chunks must not be used any
// more. Use of a deleted context is a Fault, as is a second deletion, and the deletion of
// the root. Owner only, of all of them.
//
// PostgreSQL: MemoryContextDelete.
func (mc Context) Delete() { mc.ref.Delete() }

// DeleteChildren deletes every context below this one. Owner only, of all of them.
//
// PostgreSQL: MemoryContextDeleteChildren.
func (mc Context) DeleteChildren() { mc.ref.DeleteChildren() }

// IsEmpty reports whether the context has neither children nor live chunks. Owner only; in
// another goroutine the result may be outdated. It takes as long as Stats.
//
// PostgreSQL: MemoryContextIsEmpty, which each kind defines differently.
func (mc Context) IsEmpty() bool {
	return !mc.ref.HasChildren("Context.IsEmpty") && !mc.stats(false).Live
}

// BeforeReset registers run to be called once: when the context is next reset or deleted,
// before its memory is taken back. Of several functions the one registered last runs first.
// run is called in the goroutine that resets or deletes, with no lock held. It may use
// every context that is still alive, also this one; Reset and Delete have deleted those
// below it by then. It may register other functions, which run in the same reset or
// deletion: at most 1000. The next one is dropped, and the reset or deletion panics with a
// *Fault, as it does with what run panics with; the context can then be reset or deleted
// again. stop removes the function and returns true if it was still to run. A nil run is a
// Fault. Owner only; stop, too.
//
// PostgreSQL: MemoryContextRegisterResetCallback, MemoryContextUnregisterResetCallback.
func (mc Context) BeforeReset(run func()) (stop func() bool) {
	const op = "Context.BeforeReset"
	if mc.check(op); run == nil {
		panic(raise(&Fault{Op: op, Context: mc.Path(), Reason: "the function is nil"}))
	}
	return mc.ref.BeforeReset(op, run)
}
