package palloc

// The ends of chunks and of contexts.
//
// Invariant: children before parents; of one context's callbacks the latest first, each
// once. A callback that panics stops the operation where it is, and leaves a tree that
// can be reset and deleted as before.
//
// Cost: a context that allocated nothing is reset by a few compares, one that stayed
// within its keeper by a few words more; otherwise the release of each block but the
// keeper.

// Reset deletes all contexts below this one and takes all its chunks back. The context
// lives on with a keeper of at most 8 KiB. Owner only.
//
// PostgreSQL: MemoryContextReset.
func (mc Context) Reset() { mc.ref.Reset() }

// ResetOnly takes all chunks of the context back and leaves the contexts below it alone.
// Owner only.
//
// PostgreSQL: MemoryContextResetOnly.
func (mc Context) ResetOnly() { mc.ref.ResetOnly() }

// ResetChildren resets every context below this one, children before parents, and deletes
// none; the context itself is left alone. Owner only, of all of them.
//
// PostgreSQL: MemoryContextResetChildren, which goes parents first.
func (mc Context) ResetChildren() { mc.ref.ResetChildren() }

// Delete ends the context and all contexts below it. Their chunks must not be used any
// more; a use of a Context that was deleted is a Fault, as is its second deletion, and the
// deletion of the root. Owner only, of all of them.
//
// PostgreSQL: MemoryContextDelete.
func (mc Context) Delete() { mc.ref.Delete() }

// DeleteChildren deletes every context below this one. Owner only, of all of them.
//
// PostgreSQL: MemoryContextDeleteChildren.
func (mc Context) DeleteChildren() { mc.ref.DeleteChildren() }

// IsEmpty reports whether the context has neither children nor live chunks. Owner only;
// from other goroutines the answer may be old. It takes as long as Stats.
//
// PostgreSQL: MemoryContextIsEmpty, where every kind means something else.
func (mc Context) IsEmpty() bool {
	return !mc.ref.HasChildren("Context.IsEmpty") && !mc.stats(false).Live
}

// BeforeReset registers a function to be run once, when the context is next reset
// or deleted, before its memory is taken back. Of several, the latest runs
// first. It runs in the goroutine that resets, with no lock held; it may use any
// context that is still alive, this one included, and register others, which run in
// the same reset or deletion: when one has run 1000 such callbacks the next is
// dropped, and that is a *Fault, after which the context can be reset or deleted as
// before. stop takes the function away again, and says whether it was still waiting.
// It is a Fault when run is nil. Owner only; stop too.
//
// PostgreSQL: MemoryContextRegisterResetCallback,
// MemoryContextUnregisterResetCallback.
func (mc Context) BeforeReset(run func()) (stop func() bool) {
	const op = "Context.BeforeReset"
	if mc.check(op); run == nil {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "the function is nil"})
	}
	return mc.ref.BeforeReset(op, run)
}
