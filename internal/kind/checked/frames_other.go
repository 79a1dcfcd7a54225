//go:build !amd64 && !arm64

package checked

import "runtime"

// Return addresses where Go keeps no frame pointers.
//
// Cost: that of runtime.Callers.

// framePCs stores the return addresses of the caller and of its callers.
func framePCs(pcs *[physical]uintptr) { clear(pcs[runtime.Callers(2, pcs[:]):]) }
