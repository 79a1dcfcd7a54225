package tree

// What tests of Check break on Go's heap.

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

// StrayCallbacks adds callbacks of BeforeReset of a node that does not exist.
func StrayCallbacks() (restore func()) {
	const noNode = 1<<26 - 1
	if callbacks == nil {
		callbacks = map[uint32]*callback{}
	}
	callbacks[noNode] = &callback{}
	return func() { delete(callbacks, noNode) }
}

// IsLeafFrom reports whether a context passes for a leaf when child was read as its first
// child, and may have left it since.
func IsLeafFrom(mc, child Ref) bool {
	s := mc.Node()
	defer func(first uint32) { s.FirstChild = first }(s.FirstChild)
	s.FirstChild = child.Core.Number()
	return s.isLeaf()
}
