package kind_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
)

// TestAResetReadsEachWordThatKeepsItFromRewinding sets each bit of the five words that a reset
// reads as two, and some of the words around them.
func TestAResetReadsEachWordThatKeepsItFromRewinding(t *testing.T) {
	var slot [2]kind.Core // a node begins on a boundary of 8
	c := &slot[0]
	set := map[string]func(bit int) bool{
		"CachedAs":   func(bit int) bool { c.CachedAs = 1 << bit; return c.CachedAs != 0 },
		"NeedsReset": func(bit int) bool { c.NeedsReset = 1 << bit; return c.NeedsReset != 0 },
		"Dirty":      func(bit int) bool { c.Dirty = 1 << bit; return c.Dirty != 0 },
		"FirstChild": func(bit int) bool { c.FirstChild = 1 << bit; return c.FirstChild != 0 },
		"Has":        func(bit int) bool { c.Has = 1 << bit; return c.Has != 0 },
	}
	for name, to := range set {
		for bit := range 32 {
			if *c = (kind.Core{}); to(bit) && c.MoreThanRewind() == 0 {
				t.Errorf("bit %d of %s does not keep a reset from rewinding", bit, name)
			}
		}
	}
	*c = kind.Core{Epoch: ^uint64(0), Cookie: ^uint64(0), Prefix: ^uint64(0), Cur: ^uintptr(0), End: ^uintptr(0)}
	if c.MoreThanRewind() != 0 {
		t.Error("other words keep a reset from rewinding")
	}
	if at := unsafe.Offsetof(c.CachedAs); at%8 != 0 || unsafe.Offsetof(c.Has)+4 != at+16 {
		t.Errorf("the words lie from %d to %d, which is not two of 8 bytes", at, unsafe.Offsetof(c.Has)+4)
	}
}
