package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Pieces: free memory that is no freed chunk any more. A piece is addressed by its first
// word, its header. Both neighbours of a freed chunk can be checked for pieces, so that
// free memory joins.
//
//	words   header                1        2        3      last
//	1       Crumb+1                                             on no list
//	2       Crumb+2               links                         both in one word
//	2       Unlined                                             on no list: its neighbours there are too far away
//	3, 4    Crumb+3, Crumb+4      next     prev
//	more    Span                  next     prev     size   size
//	        Tail                                                up to the block's end, on no list
//
// Invariant: two pieces are never neighbours. A header of Span, Crumb or Unlined stands
// only at a piece: it is overwritten when the piece ends. So the word before a chunk is
// trusted as a size if it leads to such a header with the same size. It may be the
// content of a chunk, which may have headers of former chunks with a few bytes written
// over: so these three are stored inverted, and no byte of them is that of any other
// header.
//
// Cost: a few loads for each neighbour.

const (
	word = chunk.HeaderSize

	// minSpan is the size of the smallest piece that stores its size, in bytes.
	minSpan = 5 * word
)

// at returns the word at an address.
func at(addr uintptr) *uint64 { return (*uint64)(osmem.At(addr)) }

// tagAt returns the tag of the header at addr: Span, Crumb and Unlined only if it is
// inverted.
func tagAt(c *kind.Core, addr uintptr) uint64 {
	if tag := pieceTag(c, addr); tag < chunk.TagLimit {
		return tag
	}
	if tag := *at(addr) ^ c.Cookie; !isPiece(tag) {
		return tag
	}
	return chunk.TagLimit
}

// isPiece reports whether a tag is that of a piece with an inverted header.
func isPiece(tag uint64) bool { return tag >= chunk.Span && tag <= chunk.UnlistedSpan }

// pieceTag returns the tag of an inverted header at addr, chunk.TagLimit or more when there
// is none.
func pieceTag(c *kind.Core, addr uintptr) uint64 { return ^*at(addr) ^ c.Cookie }

// setPiece writes an inverted header.
func setPiece(c *kind.Core, addr uintptr, tag uint64) { *at(addr) = ^(c.Cookie ^ tag) }

// pieceAt returns the size of the piece that begins at addr in block b, 0 when none
// does.
func pieceAt(c *kind.Core, addr uintptr, b *kind.Block) uintptr {
	switch tag := tagAt(c, addr); tag {
	case chunk.Span:
		return uintptr(*at(addr + 3*word))
	case chunk.SmallSpan + 1, chunk.SmallSpan + 2, chunk.SmallSpan + 3, chunk.SmallSpan + 4:
		return uintptr(tag-chunk.SmallSpan) * word
	case chunk.UnlistedSpan:
		return 2 * word
	case chunk.Tail:
		return b.End() - addr
	}
	return 0
}

// pieceBefore returns where the piece begins that ends at addr, 0 when none does. first
// is where the first piece of the block may begin.
//
// It reads the last words of a live chunk, to which another goroutine may write: what
// they hold then is no header. So the race detector must not look.
//
//go:norace
func pieceBefore(c *kind.Core, addr, first uintptr) uintptr {
	for words := uintptr(1); words <= 4 && words*word <= addr-first; words++ {
		tag := pieceTag(c, addr-words*word)
		if tag == chunk.SmallSpan+uint64(words) || tag == chunk.UnlistedSpan && words == 2 {
			return addr - words*word
		}
	}
	if addr-first < minSpan {
		return 0
	}
	size := *at(addr - word)
	if size%word != 0 || size < minSpan || size > uint64(addr-first) {
		return 0
	}
	start := addr - uintptr(size)
	if pieceTag(c, start) != chunk.Span || *at(start + 3*word) != size {
		return 0
	}
	return start
}

// listOf returns the list of pieces of a size.
func listOf(size uintptr) uint64 { return chunk.FloorClass(size - chunk.HeaderSize) }

// insert makes free memory a piece. Neither neighbour is one.
func insert(c *kind.Core, addr, size uintptr) {
	s := c.Spans()
	if size == word {
		setPiece(c, addr, chunk.SmallSpan+1)
		relaxed.Store(&c.Tails, c.Tails+word)
		return
	}
	class := listOf(size)
	switch {
	case size == 2*word && !isNear(s, addr):
		setPiece(c, addr, chunk.UnlistedSpan)
		relaxed.Store(&c.Tails, c.Tails+size)
		return
	case size < minSpan:
		setPiece(c, addr, chunk.SmallSpan+uint64(size/word))
	default:
		setSpan(c, addr, size)
	}
	enter(c, s, &s.Lists[class], addr, size)
	s.Some |= 1 << class
}

// insertWhole makes all of a block, size bytes from addr on, a piece.
func insertWhole(c *kind.Core, addr, size uintptr) {
	s := c.Spans()
	setSpan(c, addr, size)
	enter(c, s, &s.Whole, addr, size)
}

// setSpan writes the header and the sizes of a span.
func setSpan(c *kind.Core, addr, size uintptr) {
	setPiece(c, addr, chunk.Span)
	*at(addr + 3*word) = uint64(size)
	*at(addr + size - word) = uint64(size)
}

// enter puts a piece at the head of a list.
func enter(c *kind.Core, s *kind.Spans, list *uintptr, addr, size uintptr) {
	head := *list
	setLinks(addr, size, head, 0)
	if head != 0 {
		next, _ := links(head, c)
		setLinks(head, sizeOnList(c, head), next, addr)
	}
	*list = addr
	count(s, size, 1)
}

// count counts what is put on the lists, or taken off them.
func count(s *kind.Spans, size uintptr, pieces uint32) {
	relaxed.Store(&s.Bytes, s.Bytes+size)
	relaxed.Store32(&s.Count, s.Count+pieces)
}

// remove ends the piece of a size at addr, which becomes a part of something else.
func remove(c *kind.Core, addr, size uintptr) {
	tag := tagAt(c, addr)
	*at(addr) = c.Cookie ^ chunk.Coalesced
	if tag == chunk.Tail || tag == chunk.SmallSpan+1 || tag == chunk.UnlistedSpan {
		relaxed.Store(&c.Tails, c.Tails-size)
		return
	}
	s := c.Spans()
	class := listOf(size)
	next, prev := linksOf(addr, size)
	if next != 0 {
		after, _ := links(next, c)
		setLinks(next, sizeOnList(c, next), after, prev)
	}
	switch {
	case prev != 0:
		_, before := links(prev, c)
		setLinks(prev, sizeOnList(c, prev), next, before)
	case s.Whole == addr:
		s.Whole = next
	default:
		if s.Lists[class] = next; next == 0 {
			s.Some &^= 1 << class
		}
	}
	count(s, -size, ^uint32(0))
}

// sizeOnList returns the size of a piece that is on a list, which its header has.
func sizeOnList(c *kind.Core, addr uintptr) uintptr { return pieceAt(c, addr, nil) }

// links returns the neighbours of a piece on its list, 0 at the ends.
func links(addr uintptr, c *kind.Core) (next, prev uintptr) {
	return linksOf(addr, sizeOnList(c, addr))
}

func linksOf(addr, size uintptr) (next, prev uintptr) {
	if size == 2*word {
		both := *at(addr + word)
		return far(addr, int32(both)), far(addr, int32(both>>32))
	}
	return uintptr(*at(addr + word)), uintptr(*at(addr + 2*word))
}

func setLinks(addr, size, next, prev uintptr) {
	if size == 2*word {
		*at(addr + word) = uint64(way(addr, next)) | uint64(way(addr, prev))<<32
		return
	}
	*at(addr + word), *at(addr + 2*word) = uint64(next), uint64(prev)
}

// way returns the link of a piece of two words at from: a distance in words, 0 for none.
func way(from, to uintptr) uint32 {
	if to == 0 {
		return 0
	}
	return uint32(int32((int64(to) - int64(from)) / word))
}

func far(from uintptr, way int32) uintptr {
	if way == 0 {
		return 0
	}
	return from + uintptr(int64(way)*word)
}

// isNear reports whether a piece of two words can be on the list of those: each of them
// is so near the first one that was on it that a distance between any two fits.
func isNear(s *kind.Spans, addr uintptr) bool {
	const limit = 1 << 30 * word
	if s.Lists[0] == 0 {
		s.First = addr
	}
	d := int64(addr) - int64(s.First)
	return -limit < d && d < limit
}
