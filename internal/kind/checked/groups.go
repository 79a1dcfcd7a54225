package checked

import "github.com/gopalloc/palloc/internal/kind"

// The live chunks of a context, by where they were allocated.
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
			if r.state != inUse {
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
