package trace

import "fmt"

// What the builder refuses: contexts and chunks that are not live, and sizes out of
// bounds.
//
// Invariant: a check changes nothing. Cost: constant.

// checkContext refuses a context that is unknown or dead; role is what the op
// uses it as.
func (b *builder) checkContext(mc uint32, role string) error {
	if int64(mc) >= int64(len(b.contexts)) {
		return fmt.Errorf("%s %d does not exist, only %d contexts have been created so far", role, mc, len(b.contexts))
	}
	if !b.contexts[mc].alive {
		return fmt.Errorf("%s %d has been deleted", role, mc)
	}
	return nil
}

// checkChunk refuses a chunk that is unknown or dead, and returns the slot of
// any other.
func (b *builder) checkChunk(id uint32) (slot uint32, err error) {
	if int64(id) >= int64(len(b.slotOf)) {
		return 0, fmt.Errorf("chunk %d does not exist, only %d have been allocated so far", id, len(b.slotOf))
	}
	if slot = b.slotOf[id]; slot == None {
		return 0, fmt.Errorf("chunk %d has been freed, or its context was reset or deleted", id)
	}
	return slot, nil
}

// checkSize refuses a size beyond the format's, and one by which the live bytes,
// growing by more, would pass what can be added up.
func (b *builder) checkSize(size, more int64) error {
	if size < 0 || size > maxSize {
		return fmt.Errorf("%d bytes are outside of 0 to 2^46-1", size)
	}
	if more > maxBytes-b.bytes {
		return fmt.Errorf("%d bytes on top of %d live ones pass 2^62-1", size, b.bytes)
	}
	return nil
}

func (b *builder) checkDefinition(d definition) error {
	if int(d.kind) >= numKinds {
		return fmt.Errorf("kind %d is none of AllocSet, Slab, Generation, Bump", d.kind)
	}
	if int64(d.name) >= int64(b.t.text.len()) {
		return fmt.Errorf("name is string %d, but the file has %d strings", d.name, b.t.text.len())
	}
	for _, size := range d.sizes {
		if size < 0 || size > maxSize {
			return fmt.Errorf("a size of %d bytes in a context is outside of 0 to 2^46-1", size)
		}
	}
	return nil
}
