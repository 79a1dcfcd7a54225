package tree

// List is a list that grows without being copied. Go stops no goroutine while it copies
// memory: a collection, and with it every goroutine, would wait for a large copy.
//
// Invariant: all parts but the last have listPart elements.
//
// Cost: each element is copied once, at the end.
type List[T any] struct{ parts [][]T }

const listPart = 4 * StepsPerHold

// Add adds a batch.
func (l *List[T]) Add(batch []T) {
	for len(batch) > 0 {
		last := len(l.parts) - 1
		if last < 0 || len(l.parts[last]) == listPart {
			l.parts = append(l.parts, nil)
			last++
		}
		n := min(listPart-len(l.parts[last]), len(batch))
		l.parts[last] = append(l.parts[last], batch[:n]...)
		batch = batch[n:]
	}
}

// Len returns the number of elements.
func (l *List[T]) Len() int {
	if len(l.parts) == 0 {
		return 0
	}
	last := len(l.parts) - 1
	return last*listPart + len(l.parts[last])
}

// All returns all elements.
func (l *List[T]) All() []T {
	if len(l.parts) == 1 {
		return l.parts[0]
	}
	all := make([]T, 0, l.Len())
	for _, part := range l.parts {
		all = appendPart(all, part)
	}
	return all
}

// appendPart is separate because Go can stop a goroutine where a function begins, but not in
// a copy. In a loop that only copies, a signal to stop would nearly always come during one.
//
//go:noinline
func appendPart[T any](all, part []T) []T { return append(all, part...) }
