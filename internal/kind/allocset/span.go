package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Pieces: free memory that is no freed chunk any more. A piece is addressed by its
// first word, its header. Both neighbours of a chunk that is freed can be asked
// whether they are pieces, so that free memory joins.
//
//	words   header                1        2        3      last
//	1       Crumb+1                                             on no list
//	2       Crumb+2               links                         both in one word
//	2       Unlined                                             on no list: its neighbours there are too far away
//	3, 4    Crumb+3, Crumb+4      next     prev
//	more    Span                  next     prev     size   size
//	        Tail                                                up to the block's end, on no list
//
// Invariant: two pieces are never neighbours. A header that says Span, Crumb or
// Unlined stands nowhere but at a piece: it is overwritten when the piece ends. So the
// word before a chunk is believed to be a size where it leads to such a header that
// says the same size. They are looked for in what may be a chunk's content, which has
// headers of former chunks, a few bytes of them written over: so all bits of these three
// are inverted, and no byte is that of any other header.
//
// Cost: a few loads for each neighbour.

const (
	word = chunk.HeaderSize

	// minSpan is the size of the smallest piece that says its size itself, in bytes.
	minSpan = 5 * word
)

// at is the word at an address.
func at(addr uintptr) *uint64 { return (*uint64)(osmem.At(addr)) }

// whatAt is what the header at addr says: Span, Crumb and Unlined only where it is inverted.
func tagAt(c *kind.Core, addr uintptr) uint64 {
	if what := pieceTag(c, addr); what < chunk.Whats {
		return what
	}
	if what := *at(addr) ^ c.Cookie; !isPiece(what) {
		return what
	}
	return chunk.Whats
}

// isPiece reports whether what is that of a piece whose header is inverted.
func isPiece(what uint64) bool { return what >= chunk.Span && what <= chunk.Unlined }

// pieceTag is what an inverted header at addr says, chunk.Whats or more when there is
// none.
func pieceTag(c *kind.Core, addr uintptr) uint64 { return ^*at(addr) ^ c.Cookie }

// setPiece writes an inverted header.
func setPiece(c *kind.Core, addr uintptr, what uint64) { *at(addr) = ^(c.Cookie | what) }

// pieceAt is the size of the piece that begins at addr in block b, 0 when none does.
func pieceAt(c *kind.Core, addr uintptr, b *kind.Block) uintptr {
	switch what := tagAt(c, addr); what {
	case chunk.Span:
		return uintptr(*at(addr + 3*word))
	case chunk.Crumb + 1, chunk.Crumb + 2, chunk.Crumb + 3, chunk.Crumb + 4:
		return uintptr(what-chunk.Crumb) * word
	case chunk.Unlined:
		return 2 * word
	case chunk.Tail:
		return b.End() - addr
	}
	return 0
}

// pieceBefore is where the piece begins that ends at addr, 0 when none does. first is
// where the first piece of the block may begin.
//
// It reads the last words of a live chunk, which somebody may be writing to: what they hold
// then is no header. So the race detector is not to look.
//
//go:norace
func pieceBefore(c *kind.Core, addr, first uintptr) uintptr {
	for words := uintptr(1); words <= 4 && words*word <= addr-first; words++ {
		what := pieceTag(c, addr-words*word)
		if what == chunk.Crumb+uint64(words) || what == chunk.Unlined && words == 2 {
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

// listOf is the list of pieces of a size.
func listOf(size uintptr) uint64 { return chunk.Fitting(size - chunk.HeaderSize) }

// insert makes free memory, between two neighbours that are none, a piece.
func insert(c *kind.Core, addr, size uintptr) {
	s := c.Spans()
	if size == word {
		setPiece(c, addr, chunk.Crumb+1)
		relaxed.Store(&c.Tails, c.Tails+word)
		return
	}
	class := listOf(size)
	switch {
	case size == 2*word && !isNear(s, addr):
		setPiece(c, addr, chunk.Unlined)
		relaxed.Store(&c.Tails, c.Tails+size)
		return
	case size < minSpan:
		setPiece(c, addr, chunk.Crumb+uint64(size/word))
	default:
		setSpan(c, addr, size)
	}
	enter(c, s, &s.Lists[class], addr, size)
	s.Some |= 1 << class
}

// insertWhole makes all of a block, which is size bytes from addr on, a piece.
func insertWhole(c *kind.Core, addr, size uintptr) {
	s := c.Spans()
	setSpan(c, addr, size)
	enter(c, s, &s.Whole, addr, size)
}

// setSpan writes what a span says of itself.
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

// count counts what goes on the lists, or comes off them.
func count(s *kind.Spans, size uintptr, pieces uint32) {
	relaxed.Store(&s.Bytes, s.Bytes+size)
	relaxed.Store32(&s.Count, s.Count+pieces)
}

// remove ends the piece of a size at addr, which is becoming a part of something else.
func remove(c *kind.Core, addr, size uintptr) {
	what := tagAt(c, addr)
	*at(addr) = c.Cookie | chunk.Joined
	if what == chunk.Tail || what == chunk.Crumb+1 || what == chunk.Unlined {
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

// sizeOnList is the size of a piece that is on a list, and so says it.
func sizeOnList(c *kind.Core, addr uintptr) uintptr { return pieceAt(c, addr, nil) }

// links are the neighbours on its list of a piece that is on one, 0 at the ends.
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

// The links of a piece of two words are ways from itself, in words, 0 for none.
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
// is so near the first that was on it that there is a way between any two.
func isNear(s *kind.Spans, addr uintptr) bool {
	const most = 1 << 30 * word
	if s.Lists[0] == 0 {
		s.First = addr
	}
	d := int64(addr) - int64(s.First)
	return -most < d && d < most
}
