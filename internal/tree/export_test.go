package tree

// What tests of Check break on Go's heap, where no address leads from outside.

// MiscountKeepers miscounts the free nodes with keepers.
func MiscountKeepers() (restore func()) {
	freeNodes.keepers++
	return func() { freeNodes.keepers-- }
}

// MiscountNamed miscounts those of a name.
func MiscountNamed() (restore func()) {
	h := names.hint(1)
	h.count++
	return func() { h.count-- }
}

// StrayCallbacks leaves callbacks of BeforeReset for a node that does not exist.
func StrayCallbacks() (restore func()) {
	const nobody = 1<<26 - 1
	if callbacks == nil {
		callbacks = map[uint32]*callback{}
	}
	callbacks[nobody] = &callback{}
	return func() { delete(callbacks, nobody) }
}
