package generation

import "github.com/gopalloc/palloc/internal/kind"

// What tests break: the words of the head of a shared block, and of the node.

type Head = block

func HeadOf(b *kind.Block) *Head { return at(b) }

func (b *block) Words() (tag, left *uint64, frees *uint32, tail *uint16) {
	return &b.tag, &b.left, &b.frees, &b.tail
}

func Counts(c *kind.Core) (cut, freed *uint32) { return &own(c).cut, &own(c).freed }
