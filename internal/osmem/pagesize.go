package osmem

import "os"

var pageSize = uintptr(os.Getpagesize())

// PageSize returns the size of the system's pages in bytes: Commit and Discard take
// multiples of it.
func PageSize() uintptr { return pageSize }
