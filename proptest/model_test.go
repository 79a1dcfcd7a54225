package proptest_test

import (
	"bytes"
	"fmt"
	"slices"
	"unsafe"

	"github.com/gopalloc/palloc"
	"pgregory.net/rapid"
)

// The model: what must be in the contexts of a program, in ordinary Go values.
//
// Invariant: a piece is in the list of its node and in that of the model, at the index
// that it has. A node that ended is in no list.
//
// Cost: some words for each chunk.

// A sort is a kind of context, or a Shared AllocSet.
type sort int

const (
	allocSet sort = iota
	shared
	generation
	bump
	slab
	sorts
)

var sortNames = [sorts]string{"AllocSet", "Shared", "Generation", "Bump", "Slab"}

func (s sort) String() string { return sortNames[s] }

// A node is a context of the model.
type node struct {
	mc       palloc.Context
	sort     sort
	size     int // of a Slab's chunks
	ident    string
	parent   *node
	children []*node // the latest first
	pieces   []*piece
	pending  []*callback // of BeforeReset, the last registered last
	limit    int64       // NoLimit for none
	buffer   *palloc.Buffer
	written  []byte // what the buffer has; nil if it has no chunk
	unpress  func() bool
	ended    bool

	freed     map[uintptr]bool // addresses of freed chunks since the last reset
	lastBlock int64            // size of the block acquired last
	rewound   bool             // reset, and nothing was allocated since
}

// A callback is one of BeforeReset.
type callback struct {
	id   int
	deed int
	stop func() bool
}

// A piece is a chunk of the model.
type piece struct {
	at    unsafe.Pointer
	size  int // bytes that are written
	room  int // bytes that the chunk has
	align int
	seed  uint64
	node  *node
	slice []uint32 // if the piece was made as a slice
	own   int      // index in node.pieces
	all   int      // index in model.pieces
}

func (c *piece) bytes() []byte { return unsafe.Slice((*byte)(c.at), c.size) }

// At most sparse bytes of a chunk are written one by one.
const sparse, edge, stride = 512, 64, 509

// eachStamped calls f for the indexes of a chunk of size bytes that are written and
// compared.
func eachStamped(size int, f func(i int)) {
	for i := range min(size, sparse) {
		f(i)
	}
	for i := (sparse + stride - 1) / stride * stride; i < size-edge; i += stride {
		f(i)
	}
	for i := max(sparse, size-edge); i < size; i++ {
		f(i)
	}
}

func pattern(seed uint64, i int) byte { return byte(seed>>(i%8*8)) ^ byte(i) }

// stamp writes the content of a chunk.
func (c *piece) stamp() {
	b := c.bytes()
	eachStamped(c.size, func(i int) { b[i] = pattern(c.seed, i) })
}

// differs returns the index of a byte below limit that is not as it was stamped, -1 for
// none.
func (c *piece) differs(stamped, limit int) (at int) {
	at = -1
	if c.slice != nil {
		return c.sliceDiffers(limit)
	}
	b := unsafe.Slice((*byte)(c.at), min(stamped, limit))
	eachStamped(stamped, func(i int) {
		if i < len(b) && b[i] != pattern(c.seed, i) {
			at = i
		}
	})
	return at
}

func (c *piece) sliceDiffers(limit int) int {
	for i, v := range c.slice[:min(len(c.slice), limit)] {
		if v != element(c.seed, i) {
			return 4 * i
		}
	}
	return -1
}

// element returns the element of a slice at an index.
func element(seed uint64, i int) uint32 { return uint32(seed>>16) + uint32(i)*2654435761 }

func elements(seed uint64, from, to int) []uint32 {
	s := make([]uint32, 0, to-from)
	for i := from; i < to; i++ {
		s = append(s, element(seed, i))
	}
	return s
}

// below reports whether the node is n, or below it.
func (c *node) below(n *node) bool {
	for ; c != nil; c = c.parent {
		if c == n {
			return true
		}
	}
	return false
}

// frees reports whether single chunks can be freed.
func (c *node) frees() bool { return c.sort != bump }

// postorder appends the nodes below n, children before parents, in the order in which they
// end.
func (c *node) postorder(list []*node) []*node {
	for _, child := range c.children {
		list = append(child.postorder(list), child)
	}
	return list
}

func (c *node) preorder(list []*node) []*node {
	list = append(list, c)
	for _, child := range c.children {
		list = child.preorder(list)
	}
	return list
}

// A model is a program's tree.
type model struct {
	*rapid.T
	sorts    []sort // of the contexts that the program creates
	base     int64  // what Top holds without the program's contexts
	root     *node
	nodes    []*node
	pieces   []*piece
	stale    []unsafe.Pointer // pointers to chunks that were freed, a few
	ops      int
	seed     uint64
	ids      int
	ending   []*node // in a reset or deletion: those that end
	turn     *node   // whose callback ran last
	turns    int     // contexts whose callbacks ran
	busy     *piece  // is being resized
	released int     // chunks that callbacks of OnPressure freed for a limit, in this allocation
	wrong    string  // what a callback found wrong
}

// failf fails the program from within a callback, whose panics palloc may recover.
func (m *model) failf(format string, args ...any) {
	if m.wrong == "" {
		m.wrong = fmt.Sprintf(format, args...)
	}
}

// nextSeed returns a number that no other chunk of the program has.
func (m *model) nextSeed() uint64 {
	m.seed++
	return m.seed * 0x9e3779b97f4a7c15
}

// add adds a chunk to the model: it must be aligned and overlap no other one.
func (m *model) add(c *piece) {
	m.Helper()
	c.room = c.size
	if c.node.frees() {
		if c.room = palloc.UsableSize(c.at); c.room < c.size {
			m.Fatalf("a chunk of %d bytes has %d", c.size, c.room)
		}
		if owner := palloc.ContextOf(c.at); owner != c.node.mc {
			m.Fatalf("a chunk of %s is in %s", c.node.mc.Path(), owner.Path())
		}
	}
	if uintptr(c.at)%uintptr(max(c.align, 8)) != 0 {
		m.Fatalf("a chunk at %p is not aligned to %d", c.at, max(c.align, 8))
	}
	for _, other := range m.pieces {
		if overlap(c, other) {
			m.Fatalf("a chunk of %d bytes at %p overlaps one of %d bytes at %p", c.room, c.at, other.room, other.at)
		}
	}
	c.own, c.all = len(c.node.pieces), len(m.pieces)
	c.node.pieces, m.pieces = append(c.node.pieces, c), append(m.pieces, c)
	c.node.rewound = false
}

func overlap(a, b *piece) bool {
	from, to := uintptr(a.at), uintptr(b.at)
	return from < to+uintptr(max(b.room, 1)) && to < from+uintptr(max(a.room, 1))
}

// remove removes a chunk from the model.
func (m *model) remove(c *piece) {
	last := c.node.pieces[len(c.node.pieces)-1]
	c.node.pieces[c.own], last.own = last, c.own
	c.node.pieces = c.node.pieces[:len(c.node.pieces)-1]
	last = m.pieces[len(m.pieces)-1]
	m.pieces[c.all], last.all = last, c.all
	m.pieces = m.pieces[:len(m.pieces)-1]
}

// verify checks the content of a chunk.
func (m *model) verify(c *piece) {
	if at := c.differs(c.size, c.size); at >= 0 {
		m.failf("byte %d of a chunk of %d bytes at %p in %s has changed", at, c.size, c.at, c.node.mc.Path())
	}
}

// forget removes the chunks and the buffer of a node whose memory was taken back.
func (m *model) forget(n *node) {
	for len(n.pieces) > 0 {
		c := n.pieces[len(n.pieces)-1]
		if n.frees() {
			m.stale = append(m.stale, c.at)
		}
		m.remove(c)
	}
	if n.written != nil {
		n.buffer, n.written = nil, nil
	}
	n.freed, n.lastBlock, n.rewound = map[uintptr]bool{}, 0, true
}

// end removes a node that was deleted.
func (m *model) end(n *node) {
	m.forget(n)
	n.ended = true
	m.nodes = slices.DeleteFunc(m.nodes, func(other *node) bool { return other == n })
}

// cut takes a node off its parent.
func (n *node) cut() {
	n.parent.children = slices.DeleteFunc(n.parent.children, func(other *node) bool { return other == n })
}

// hang makes a node the first child of a parent.
func (n *node) hang(parent *node) {
	n.parent = parent
	parent.children = slices.Insert(parent.children, 0, n)
}

// isZero reports whether all bytes are zero.
func isZero(b []byte) bool {
	for ; len(b) > len(zeros); b = b[len(zeros):] {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
	}
	return bytes.Equal(b, zeros[:len(b)])
}

var zeros [8192]byte
