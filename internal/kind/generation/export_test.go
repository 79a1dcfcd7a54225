package generation

import "github.com/gopalloc/palloc/internal/kind"

// What tests break: the words of the head of a shared block.

type HeadWords struct {
	Tag, Left *uint64
	Frees     *uint32
	Tail      *uint16
}

func HeadOf(b *kind.Block) HeadWords {
	h := at(b)
	return HeadWords{&h.tag, &h.left, &h.frees, &h.tail}
}
