package btree

import (
	"cmp"

	"github.com/gopalloc/palloc"
)

// Nodes, and the search in one.
//
// Invariant: the keys of a node ascend. Key i of an inner node is at least every key below
// child i, and less than every key below child i+1. An inner node has at least one key. What
// lies beyond the last key, value and child is zero: the write barrier reads the old value of
// a pointer, and a value that was deleted is not kept.
//
// Cost: a search of numbers takes up to 16 compares that wait for nothing; one by a function, 7 calls.

const (
	width = 64        // keys in a node, a power of two
	least = width / 4 // a node with fewer keys is joined with its neighbor after a deletion
	most  = width - least
)

// A leaf holds the entries.
type leaf[K, V any] struct {
	palloc.NoHeapPointers
	n          int
	next, prev *leaf[K, V]
	keys       [width]K
	values     [width]V
}

// An inner node leads to the leaves. It has n keys and n+1 children.
type inner[K, V any] struct {
	palloc.NoHeapPointers
	n    int
	keys [width]K
	kids [width + 1]node[K, V]
}

// A node is a leaf or an inner node; which, the level tells.
type node[K, V any] struct {
	palloc.NoHeapPointers
	leaf  *leaf[K, V]
	inner *inner[K, V]
}

// A search returns the number of keys less than k among the first n, and whether the next one is
// equal to k.
type search[K any] func(keys *[width]K, n int, k K) (i int, found bool)

// group is the number of keys that ordered compares one by one, those of a cache line if a key
// has 8 bytes.
const group = 8

// ordered is the search in the order of cmp.Compare. It counts the groups whose last key is less
// than k, then the keys of the next group, so that no load waits for another one. Comparisons
// are added up, not branched on.
func ordered[K cmp.Ordered](keys *[width]K, n int, k K) (i int, found bool) {
	for j := group - 1; j < n; j += group {
		less := 0
		if x := keys[j&(width-1)]; x < k || x != x && k == k { // a NaN comes first
			less = group
		}
		i += less
	}
	end := min(i+group, n)
	for j := i; j < end; j++ {
		less := 0
		if x := keys[j&(width-1)]; x < k || x != x && k == k {
			less = 1
		}
		i += less
	}
	if i == n {
		return n, false
	}
	x := keys[i&(width-1)]
	return i, !(k < x || k != k && x == x)
}

// by returns the search by a function.
func by[K any](compare func(a, b K) int) search[K] {
	return func(keys *[width]K, n int, k K) (i int, found bool) {
		for n > 0 {
			half := n >> 1
			switch c := compare(keys[(i+half)&(width-1)], k); {
			case c == 0:
				return i + half, true
			case c < 0:
				i, n = i+half+1, n-half-1
			default:
				n = half
			}
		}
		return i, false
	}
}
