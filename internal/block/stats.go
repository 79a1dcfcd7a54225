package block

// Stats are the figures of the page heap, in bytes.
type Stats struct {
	Reserved  uintptr // address space
	Committed uintptr // of it, what is readable and writable
	InUse     uintptr // in blocks, as far as they are for use
	Retained  uintptr // free and resident
	Metadata  uintptr // committed for the pages' bits and links
}

// ReadStats returns the figures of one moment.
func ReadStats() Stats {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	s := Stats{InUse: heap.inUse, Retained: heap.retained}
	for _, r := range regions() {
		s.Reserved += r.size
		s.Committed += r.frontier.Load()
		for l := range r.levels {
			s.Metadata += r.levels[l].committed
		}
	}
	return s
}
