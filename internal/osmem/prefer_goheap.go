//go:build race || palloc_goheap

package osmem

// goHeapOnly reports whether Go's heap is used even where there is a system's source.
const goHeapOnly = true
