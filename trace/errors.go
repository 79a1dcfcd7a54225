package trace

import "fmt"

// The errors of a trace: of a file that is damaged, and of a back end that fails
// verification. Each is one line of text.

// A FormatError reports that a file is not a valid trace, and at which byte.
type FormatError struct {
	Offset  int64  // byte of the unwrapped (not gzip'd) stream
	Op      int    // index of the op that starts at or before Offset; -1 outside the ops
	Problem string // what was found and what was wanted
	Err     error  // the error underneath, or nil
}

// Error returns one line with the offset and the problem.
func (e *FormatError) Error() string {
	where := fmt.Sprintf("byte %d", e.Offset)
	if e.Op >= 0 {
		where = fmt.Sprintf("byte %d (op %d)", e.Offset, e.Op)
	}
	return fmt.Sprintf("trace: %s: %s", where, e.Problem)
}

// Unwrap returns the error underneath, such as the one of the gzip reader.
func (e *FormatError) Unwrap() error { return e.Err }

// A VerifyError reports that a back end broke the contract of an allocator, and at
// which op Verify noticed.
type VerifyError struct {
	Op      int     // index of the op
	Code    Code    // the call it records
	Context uint32  // context of the chunk, or of the call; None for neither
	Name    string  // name of that context
	Slot    uint32  // slot of the chunk; None when the call concerns no single chunk
	Addr    uintptr // address of the chunk; 0 when it has none
	Size    int64   // bytes of the chunk
	Problem string  // what was found and what was wanted
	Err     error   // the error that the back end panicked with, or that its Check returned
}

// Error returns one line with the op, the context, the chunk and the problem.
func (e *VerifyError) Error() string {
	where := ""
	if e.Context != None {
		where = fmt.Sprintf(", context %d %q", e.Context, e.Name)
	}
	if e.Slot != None {
		where += fmt.Sprintf(", slot %d (%d bytes at %#x)", e.Slot, e.Size, e.Addr)
	}
	return fmt.Sprintf("trace: op %d (%s)%s: %s", e.Op, e.Code, where, e.Problem)
}

// Unwrap returns the error of the back end, if any.
func (e *VerifyError) Unwrap() error { return e.Err }
