package palloc

// pile is a list that grows without being copied: Go stops no goroutine while it copies
// memory, so that a collection, and with it everybody, would wait for that.
//
// Invariant: all parts but the last have pilePart elements.
//
// Cost: each element is copied once, at the end.
type pile[T any] struct{ parts [][]T }

const pilePart = 4 * perHold

// add adds a batch.
func (p *pile[T]) add(batch []T) {
	for len(batch) > 0 {
		last := len(p.parts) - 1
		if last < 0 || len(p.parts[last]) == pilePart {
			p.parts = append(p.parts, nil)
			last++
		}
		n := min(pilePart-len(p.parts[last]), len(batch))
		p.parts[last] = append(p.parts[last], batch[:n]...)
		batch = batch[n:]
	}
}

// size is how many there are.
func (p *pile[T]) size() int {
	if len(p.parts) == 0 {
		return 0
	}
	last := len(p.parts) - 1
	return last*pilePart + len(p.parts[last])
}

// list is all of them.
func (p *pile[T]) list() []T {
	if len(p.parts) == 1 {
		return p.parts[0]
	}
	all := make([]T, 0, p.size())
	for _, part := range p.parts {
		all = appendPart(all, part)
	}
	return all
}

// appendPart is a call of its own since Go can stop a goroutine where a function begins,
// but not in a copy: in a loop that only copies, a signal to stop hardly ever comes at
// another moment.
//
//go:noinline
func appendPart[T any](all, part []T) []T { return append(all, part...) }
