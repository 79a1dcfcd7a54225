package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Alloc finds the class: it is the first stage of the hot path. Sizes of 0 and beyond
// chunk.MaxSmall go the slow way.
func Alloc(c *kind.Core, size uintptr, pop kind.Popper, take kind.Taker, carve kind.Carver, slow kind.Slow) uintptr {
	if size-1 >= chunk.MaxSmall {
		return slow(c, size)
	}
	return pop(c, size, chunk.SmallClass(size), take, carve, slow)
}

// AllocConst does what Alloc does for a constant size: the compiler does the work of its additional
// stage.
func AllocConst(c *kind.Core, size uintptr, classify kind.Sizer, pop kind.Popper, take kind.Taker, carve kind.Carver, slow kind.Slow) uintptr {
	if size-1 >= chunk.MaxSmall {
		return slow(c, size)
	}
	return classify(c, size, pop, take, carve, slow)
}

// ClassifyConst is the additional stage.
func ClassifyConst(c *kind.Core, size uintptr, pop kind.Popper, take kind.Taker, carve kind.Carver, slow kind.Slow) uintptr {
	return pop(c, size, chunk.ConstClass(size), take, carve, slow)
}

// Pop looks for a freed chunk of the class: it is the second stage.
func Pop(c *kind.Core, size uintptr, class uint64, take kind.Taker, carve kind.Carver, slow kind.Slow) uintptr {
	if p := *c.FreeList(class); p != 0 {
		return take(c, class, p)
	}
	return carve(c, size, class, slow)
}

// Take takes the chunk freed last: it is the third stage when there is one.
func Take(c *kind.Core, class uint64, p uintptr) uintptr {
	*c.FreeList(class) = *link(p)
	chunk.SetHeader(p, c.Prefix|class)
	return p
}

// Carve cuts a chunk off the current block: the third stage when there is none. It
// does so for a Generation, too, whose free lists are always empty.
func Carve(c *kind.Core, size uintptr, class uint64, slow kind.Slow) uintptr {
	start := c.Cur
	end := start + chunk.SmallTotalSize(size)
	if end > c.End {
		return slow(c, size)
	}
	if relaxed.PlainStores {
		c.Cur = end
	} else {
		relaxed.Store(&c.Cur, end)
	}
	*(*uint64)(osmem.At(start)) = c.Prefix | class // the header
	return start + chunk.HeaderSize
}

// Medium allocates a chunk as the hot path does, but of sizes beyond chunk.MaxSmall, too.
// It is one call instead of many. Other kinds, and what needs more, go on to slow.
func Medium(c *kind.Core, size uintptr, slow kind.Slow) uintptr {
	if size-1 >= chunk.MaxSize || c.Kind() != ID {
		return slow(c, size)
	}
	class := chunk.Class(size)
	if p := *c.FreeList(class); p != 0 {
		return Take(c, class, p)
	}
	if p := carve(c, class, chunk.Align); p != 0 {
		return p
	}
	return slow(c, size)
}

// Push puts, as the last stage of Free, the chunk with header h at the head of the
// free list of its class.
func Push(c *kind.Core, p uintptr, h, class uint64) {
	list := c.FreeList(class)
	chunk.SetHeader(p, h|chunk.Freed)
	*link(p) = *list
	*list = p
	c.Dirty = kind.DirtyLists
}

// link returns the first word of a freed chunk: the next one on its free list.
func link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

// Hot runs the whole chain of stages.
func Hot(c *kind.Core, size uintptr, slow kind.Slow) uintptr {
	return Alloc(c, size, Pop, Take, Carve, slow)
}
