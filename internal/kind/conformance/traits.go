package conformance

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// The rules of what a kind says of itself: its traits, its tags, its counts, and whether
// the hot path leaves it alone.
//
// Invariant: a trait that a kind does not have is refused or 0, never half there.
//
// Cost: some microseconds each.

// traits: a kind does what its traits say, and nothing else.
func (s *subject) traits() {
	if s.Methods.Name() == "" || s.ShownAs == kind.None {
		s.Fatalf("a kind without a name, or that programs are told nothing of: %+v", s.Traits)
	}
	if s.Methods.Traits() != s.Traits {
		s.Fatal("a kind has other traits the next time")
	}
	p := s.alloc(64)
	if _, err := s.Methods.Alloc(s.c, 72); (err != nil) != s.OneSize {
		s.Fatalf("another size in a context of 64 bytes: %v, and OneSize is %v", err, s.OneSize)
	}
	var tag uint64
	if s.Headers {
		tag = s.tag(p)
	}
	if err := s.Methods.Free(s.c, p, tag); (err == nil) != s.Frees {
		s.Fatalf("a chunk is freed: %v, and Frees is %v", err, s.Frees)
	}
	if p = s.alloc(64); s.Headers && s.Methods.Extend(s.c, p, 64, 72) {
		s.Fatal("a chunk with a header is extended as an array without one")
	}
	if s.Frees && !s.Headers {
		s.Fatal("a kind frees chunks that lead to no context")
	}
}

// tags: headers lead from chunk to chunk, and say whether one is freed.
func (s *subject) tags() {
	if !s.Headers {
		return
	}
	s.alloc(64)
	p := s.alloc(64)
	tag := s.tag(p)
	if s.Methods.Freed(tag) || kind.TagFault(s.Methods, tag) != kind.NotAChunk {
		s.Fatalf("the tag %#x of a live chunk passes for that of a freed one", tag)
	}
	if at, n := kind.Around(s.Methods, s.c, p+1); s.InUse == nil && (at > p || p+64 > at+n) {
		s.Fatalf("around the chunk at %#x is found one at %#x of %d bytes", p, at, n)
	}
	if !s.Frees {
		return
	}
	s.free(p)
	if tag = chunk.Header(p) ^ s.c.Cookie; !s.Methods.Freed(tag) {
		s.Fatalf("the tag %#x of a freed chunk passes for another", tag)
	}
	if kind.TagFault(s.Methods, tag) != kind.AlreadyFree || !kind.SaysFreed(s.Methods, s.c, p, tag) {
		s.Fatalf("the tag %#x of a freed chunk is not explained as one", tag)
	}
}

// counts: statistics have what the traits say, and else 0.
func (s *subject) counts() {
	const n = 100
	for range n {
		s.alloc(64)
	}
	with, without := s.Methods.Stats(s.c, true), s.Methods.Stats(s.c, false)
	if want := uint32(n); s.CountsChunks && with.Chunks != want || !s.CountsChunks && with.Chunks != 0 || without.Chunks != 0 {
		s.Fatalf("of %d chunks are counted %d, when not asked for %d; CountsChunks is %v", n, with.Chunks, without.Chunks, s.CountsChunks)
	}
	if with.Chunks = 0; with != without {
		s.Fatalf("with chunks the statistics are %+v, without %+v", with, without)
	}
	s.Methods.Reset(s.c)
	if st := s.Methods.Stats(s.c, true); st.Chunks != 0 || !s.CountsEmpty && st.EmptyBlocks != 0 {
		s.Fatalf("after the reset there are %+v", st)
	}
}

// cached: the node of a deleted context, with at most a keeper, serves the next one as it
// is, or after Open where the ID says so. Without the trait NeedsReset keeps it from that.
func (s *subject) cached() {
	s.alloc(64)
	if s.Methods.Reset(s.c); !s.Cached {
		if s.c.NeedsReset == 0 {
			s.Fatal("a node that is not to be cached is not busy after the reset")
		}
		return
	}
	for range 3 {
		for range 100 {
			s.alloc(64)
		}
		s.c.SetCurrent(s.c.Retire(), kind.BlockHeader)
		s.c.ForgetSizes()
		kind.CheckKeeper(s.c, func(f kind.Flaw) { s.Fatalf("a cached node: %+v", f) })
		if s.ID&kind.Reopens != 0 {
			s.Methods.Open(s.c)
		}
		s.consistent()
		p := s.alloc(64)
		fill(p, 64)
		s.holds(p, 64, p)
	}
}

// joins: what many freed chunks leave serves larger ones, and no block is acquired.
func (s *subject) joins() {
	if !s.Joins {
		return
	}
	var chunks []uintptr
	for range 200 {
		chunks = append(chunks, s.alloc(64))
	}
	for _, p := range chunks[1:] {
		s.free(p)
	}
	s.Methods.Compact(s.c)
	held := s.c.Total
	if s.alloc(256); s.c.Total != held {
		s.Fatalf("of %d bytes held, nearly all freed and joined, none serve a chunk of 256", held)
	}
}

// layout: the layouts are those of all blocks, without a gap, and have what the accounts say.
func (s *subject) layout() {
	s.Helper()
	st := s.Methods.Stats(s.c, false)
	total, blocks, of := uintptr(0), uint32(0), map[kind.Use]uintptr{}
	s.Methods.Layout(s.c, func(l kind.BlockLayout) {
		sum := uintptr(0)
		for _, p := range l.Parts {
			sum += p.Size
			of[p.Use] += p.Size
		}
		if sum != l.Size {
			s.Errorf("the parts of a block of %d bytes have %d", l.Size, sum)
		}
		total, blocks = total+l.Size, blocks+1
	})
	if total != st.Total || blocks != st.Blocks || of[kind.UseUnread] != 0 {
		s.Errorf("layouts of %d bytes in %d blocks, %d of them unread; the accounts say %d in %d", total, blocks, of[kind.UseUnread], st.Total, st.Blocks)
	}
	free := st.Total - of[kind.UseHead] - of[kind.UseLive]
	switch {
	case s.InUse != nil: // what is around a live chunk counts as free
	case s.Headers && free != st.Free:
		s.Errorf("layouts with %d free bytes (%v), and the accounts say %d", free, of, st.Free)
	case !s.Headers && free != s.c.Remaining():
		s.Errorf("layouts with %d free bytes, and %d are left of the current block", free, s.c.Remaining())
	}
}

// cold: a kind without stages on the hot path leaves nothing where these look. See
// package kind.
func (s *subject) cold() {
	s.Helper()
	if s.c.Cur != s.c.End {
		s.Errorf("the hot path would allocate from %#x to %#x", s.c.Cur, s.c.End)
	}
	for class := range uint64(chunk.Classes) {
		if *s.c.FreeList(class) != 0 {
			s.Errorf("the hot path would allocate from the free list of class %d", class)
		}
	}
}

// coldTag complains about a header that the hot path of Free would take.
func (s *subject) coldTag(tag uint64) {
	s.Helper()
	generation := tag&^(chunk.GenerationMask|chunk.Classes-1) == chunk.Generation
	if tag < chunk.Classes || generation || tag-chunk.Slab <= chunk.MaxSlabOrder {
		s.Fatalf("the hot path would free a chunk with the tag %#x", tag)
	}
}
