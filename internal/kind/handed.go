package kind

// Handed says whether the core with a number was ever handed out, and the number can
// be followed. Callers must exclude those of OpenSlot.
func Handed(index uint32) bool { return index != 0 && index < table.opened }
