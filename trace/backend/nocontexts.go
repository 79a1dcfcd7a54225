package backend

// noContexts: the part of a back end for which contexts are nothing.
//
// Invariant: none of it does anything. Cost: the call.
type noContexts struct{}

// Create does nothing.
func (noContexts) Create(mc, parent uint32) {}

// SetParent does nothing.
func (noContexts) SetParent(mc, parent uint32) {}

// SetIdent does nothing.
func (noContexts) SetIdent(mc uint32, ident string) {}

// OnReset does nothing.
func (noContexts) OnReset(mc uint32) {}
