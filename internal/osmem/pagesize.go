package osmem

import "os"

var pageSize = uintptr(os.Getpagesize())

// PageSize is the system's page in bytes: the grain of Commit and Discard.
func PageSize() uintptr { return pageSize }
