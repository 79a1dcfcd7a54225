package checked

import "github.com/gopalloc/palloc/internal/kind"

// The chunks of a context: the live ones by where they were allocated, and all by where they lie.
//
// Cost: a step for each chunk.

// Group counts the live chunks of one size that were allocated by one stack.
type Group struct {
	Made  Stack
	Size  uintptr // bytes that were requested
	Count int
}

// Groups returns the live chunks of a checked context. Owner only.
func Groups(c *kind.Core) (list []Group) {
	s := stateOf(c)
	if err := s.enter(); err != nil {
		note(err)
		return nil
	}
	defer s.leave()
	at := map[Group]int{}
	for _, b := range s.blocks {
		for i := range b.records {
			r := &b.records[i]
			if !r.isHeld() {
				continue
			}
			g := Group{Made: r.made, Size: b.sizeOf(i)}
			n, ok := at[g]
			if !ok {
				n = len(list)
				at[g] = n
				list = append(list, g)
			}
			list[n].Count++
		}
	}
	return list
}

// Layout reports the layout of each block. What is around a chunk belongs to its part.
func (*Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) { LayOut(c, report) }

// LayOut reports the layouts of the blocks that a node has here: those of a checked context, or of the
// guarded chunks of an ordinary one. Owner only.
func LayOut(c *kind.Core, report func(kind.BlockLayout)) {
	s := peekState(c)
	if s == nil {
		return
	}
	if err := s.enter(); err != nil {
		note(err)
		return
	}
	defer s.leave()
	for _, b := range s.blocks {
		report(b.layout())
	}
}

// uses are those of records, by their state.
var uses = [...]kind.Use{inUse: kind.UseLive, freed: kind.UseFreed, gone: kind.UseUnused, condemned: kind.UseUnread, withdrawn: kind.UseUnread}

// layout returns what lies in the block: the slots of its records, and what is not cut into slots.
func (b *chunks) layout() kind.BlockLayout {
	l := kind.BlockLayout{Size: b.size, Large: b.dedicated != 0}
	end := uintptr(0)
	for i := range b.records {
		begin := end
		end = b.at(i) - b.base + b.roomOf(i)
		l.Parts = append(l.Parts, kind.Part{Use: uses[b.records[i].state], Size: end - begin})
	}
	if end < b.size {
		l.Parts = append(l.Parts, kind.Part{Use: kind.UseUnused, Size: b.size - end})
	}
	return l
}
