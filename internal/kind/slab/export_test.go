package slab

import "github.com/gopalloc/palloc/internal/kind"

// What tests break: the words of the head of a block, and of the node.

type HeadWords struct {
	Freed                 *uintptr
	Frees, MoveAt, Chunks *uint32
	Tag                   *uint64
}

func HeadOf(b *kind.Block) HeadWords {
	h := at(b)
	return HeadWords{&h.freed, &h.frees, &h.moveAt, &h.chunks, &h.tag}
}

type CoreWords struct {
	List, Cur, End, Stride   *uintptr
	Capacity, Local, Empties *uint32
}

func WordsOf(c *kind.Core) CoreWords {
	o := own(c)
	return CoreWords{&o.list, &o.cur, &o.end, &o.stride, &o.capacity, &o.local, &o.empties}
}
