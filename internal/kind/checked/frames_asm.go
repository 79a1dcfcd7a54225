//go:build amd64 || arm64

package checked

// Return addresses by frame pointers, which Go keeps on these processors.
//
// Invariant: only the stack of the caller is read, from the frame of the caller upward.
//
// Cost: two loads a frame.

// framePCs stores the return addresses of the caller and of its callers. Inlined calls have none.
//
//go:noescape
func framePCs(pcs *[physical]uintptr)
