package heap

import "cmp"

// How an element moves to its place, by cmp.Less and by a function.
//
// Invariant: up, which comes last, tells moved of the element itself.
//
// Cost: a compare in each level up, three in each level down: an element first falls to the lowest
// level, where most belong, and then moves up.

func up[T cmp.Ordered](s []T, i, top int, moved func(*T, int)) int {
	value := s[i]
	for i > top {
		parent := (i - 1) / children
		if !less(value, s[parent]) {
			break
		}
		if s[i] = s[parent]; moved != nil {
			moved(&s[i], i)
		}
		i = parent
	}
	return put(s, i, value, moved)
}

func fall[T cmp.Ordered](s []T, i int, moved func(*T, int)) int {
	value := s[i]
	for {
		first := i*children + 1
		if first >= len(s) {
			break
		}
		least, low := first, s[first]
		for c := first + 1; c < min(first+children, len(s)); c++ {
			if x := s[c]; less(x, low) {
				least, low = c, x
			}
		}
		if s[i] = low; moved != nil {
			moved(&s[i], i)
		}
		i = least
	}
	s[i] = value
	return i
}

// less reports what cmp.Less does: a NaN comes first.
func less[T cmp.Ordered](a, b T) bool { return a < b || a != a && b == b }

// put writes an element to its place, and returns that.
func put[T any](s []T, i int, value T, moved func(*T, int)) int {
	if s[i] = value; moved != nil {
		moved(&s[i], i)
	}
	return i
}

// by returns the order of a function.
func by[T any](compare func(a, b T) int) order[T] {
	return order[T]{
		up: func(s []T, i, top int, moved func(*T, int)) int {
			value := s[i]
			for i > top {
				parent := (i - 1) / children
				if compare(value, s[parent]) >= 0 {
					break
				}
				if s[i] = s[parent]; moved != nil {
					moved(&s[i], i)
				}
				i = parent
			}
			return put(s, i, value, moved)
		},
		fall: func(s []T, i int, moved func(*T, int)) int {
			value := s[i]
			for {
				first := i*children + 1
				if first >= len(s) {
					break
				}
				least := first
				for c := first + 1; c < min(first+children, len(s)); c++ {
					if compare(s[c], s[least]) < 0 {
						least = c
					}
				}
				if s[i] = s[least]; moved != nil {
					moved(&s[i], i)
				}
				i = least
			}
			s[i] = value
			return i
		},
	}
}
