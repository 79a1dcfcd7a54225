package conformance

import (
	"errors"
	"math/rand/v2"

	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// edges are sizes at which something changes: classes, limits, blocks.
var edges = []uintptr{0, 1, 7, 8, 9, 16, 17, 24, 63, 64, 65, 100, 128, 129, 255, 256, 1000, 1023, 1024,
	1025, 2048, 2049, 4095, 4096, 8191, 8192, 8193, 10000, 16 << 10, 48<<10 - 40, 64 << 10, 100000, 1 << 20, 5 << 20}

func (s *subject) everySize() {
	for _, n := range edges {
		s.restart(n)
		s.consistent()
		var held []live
		for range 5 {
			p := s.alloc(n)
			s.inBlock(p)
			fill(p, n)
			held = append(held, live{p, n, p})
		}
		s.consistent()
		for _, h := range held {
			s.holds(h.p, h.n, h.from)
			if s.Frees {
				if c := s.Methods.Capacity(s.c, h.p, s.tag(h.p)); c < n {
					s.Fatalf("a chunk of %d bytes has a capacity of %d", n, c)
				}
				s.free(h.p)
			}
		}
	}
}

func (s *subject) zeroBytes() {
	s.restart(0)
	seen := map[uintptr]bool{}
	for range 100 {
		p := s.alloc(0)
		if seen[p] {
			s.Fatalf("two chunks of 0 bytes at %#x", p)
		}
		seen[p] = true
	}
}

func (s *subject) headers() {
	if !s.Frees {
		return // chunks have none
	}
	p := s.alloc(64)
	if s.Methods.Capacity(s.c, p, s.tag(p)) == 0 {
		s.Fatal("a live chunk has no capacity")
	}
	s.free(p)
	w := chunk.Header(p) ^ s.c.Cookie
	if w < chunk.TagLimit && s.Methods.Capacity(s.c, p, w) != 0 {
		s.Fatal("a freed chunk's header passes for a live one's")
	}
	var misuse kind.Misuse
	if err := kind.Free(s.Methods, s.c, p, w); !errors.As(err, &misuse) {
		s.Fatalf("the second free says %v", err)
	}
	q := s.alloc(64)
	h := chunk.Header(q)
	s.Methods.Reset(s.c)
	if h^s.c.Cookie < chunk.TagLimit {
		s.Fatal("a header is still valid after the reset")
	}
}

// reuse: traffic of a bounded window does not make the context grow.
func (s *subject) reuse() {
	if !s.Frees {
		return
	}
	var window []uintptr
	most := uintptr(0)
	for i := range 20000 {
		window = append(window, s.alloc(64))
		if len(window) > 100 {
			s.free(window[0])
			window = window[1:]
		}
		if i < 5000 {
			most = max(most, s.c.Total)
		}
	}
	if s.c.Total > most {
		s.Fatalf("%d bytes held in the end, %d at most in the first quarter", s.c.Total, most)
	}
}

func (s *subject) reset() {
	for i := range uintptr(3000) {
		s.alloc(s.size(i % 500))
	}
	if !s.OneSize {
		s.alloc(100 << 10)
	}
	s.consistent()
	s.Methods.Reset(s.c)
	s.consistent()
	if s.c.Total > kind.MaxKeeper || s.c.BlockCount > 1 {
		s.Fatalf("%d bytes in %d blocks are left after the reset", s.c.Total, s.c.BlockCount)
	}
	if s.Methods.Stats(s.c, false).Live {
		s.Fatal("a chunk is live after the reset")
	}
	s.Methods.Reset(s.c)
	fill(s.alloc(64), 64)
}

func (s *subject) cycles() {
	first := s.before
	for cycle := range 50 {
		for range 200 {
			p := s.alloc(64)
			fill(p, 64)
		}
		s.consistent()
		s.Methods.Reset(s.c)
		s.consistent()
		if held := s.inUse() - first; held > kind.MaxKeeper {
			s.Fatalf("cycle %d leaves %d bytes", cycle, held)
		}
	}
}

func (s *subject) realloc() {
	p := s.alloc(64)
	if !s.Frees {
		if _, err := s.Methods.Realloc(s.c, p, 0, 64); err == nil {
			s.Fatal("a kind that cannot free resizes")
		}
		return
	}
	fill(p, 64)
	q, err := kind.Realloc(s.Methods, s.c, p, s.tag(p), 64)
	if err != nil || q != p {
		s.Fatalf("Realloc to the same size: %#x, %v; it was at %#x", q, err, p)
	}
	if s.OneSize {
		if _, err := kind.Realloc(s.Methods, s.c, p, s.tag(p), 65); err == nil {
			s.Fatal("a slab resizes")
		}
		s.holds(p, 64, p)
		return
	}
	s.reallocSizes()
}

func (s *subject) reallocSizes() {
	for _, from := range edges {
		for _, to := range edges {
			p := s.alloc(from)
			fill(p, from)
			q, err := kind.Realloc(s.Methods, s.c, p, s.tag(p), to)
			if err != nil {
				s.Fatalf("Realloc of %d to %d bytes: %v", from, to, err)
			}
			s.holds(q, min(from, to), p)
			fill(q, to)
			s.free(q)
			s.consistent()
		}
	}
}

func (s *subject) aligned() {
	if s.OneSize {
		var misuse kind.Misuse
		if _, err := s.Methods.AllocAligned(s.c, 64, 16); err != nil && !errors.As(err, &misuse) {
			s.Fatalf("AllocAligned(64, 16) says %v", err)
		}
		return
	}
	for align := uintptr(2 * chunk.Align); align <= 64<<10; align *= 2 {
		for _, n := range []uintptr{0, 1, 100, 5000, 50000} {
			s.alignedChunk(n, align)
		}
	}
}

func (s *subject) alignedChunk(n, align uintptr) {
	p, err := s.Methods.AllocAligned(s.c, n, align)
	if err != nil || p%align != 0 {
		s.Fatalf("AllocAligned(%d, %d) = %#x, %v", n, align, p, err)
	}
	s.inBlock(p)
	fill(p, n)
	s.consistent()
	if !s.Frees {
		return
	}
	if c := kind.Capacity(s.Methods, s.c, p, s.tag(p)); c < n {
		s.Fatalf("an aligned chunk of %d bytes has a capacity of %d", n, c)
	}
	q, err := kind.Realloc(s.Methods, s.c, p, s.tag(p), 2*n+1)
	if err != nil || q%align != 0 {
		s.Fatalf("Realloc of a chunk aligned to %d: %#x, %v", align, q, err)
	}
	s.holds(q, n, p)
	s.free(q)
	s.consistent()
	if asan.Enabled && s.InUse != nil {
		return // the block, and with it the header, is poisoned
	}
	if s.InUse != nil {
		return // the header may be protected now
	}
	if w := chunk.Header(q) ^ s.c.Cookie; w < chunk.TagLimit && kind.Free(s.Methods, s.c, q, w) == nil {
		s.Fatal("an aligned chunk is freed twice")
	}
}

// refusals: nothing but the start of a live chunk can be freed.
func (s *subject) refusals() {
	p := s.alloc(64)
	for tag := uint64(0); tag < chunk.TagLimit; tag++ {
		if s.Frees && tag == s.tag(p) || tag == chunk.Redirect {
			continue
		}
		if s.plausible(tag, p) {
			continue
		}
		if err := s.Methods.Free(s.c, p, tag); err == nil {
			s.Fatalf("a chunk with the tag %#x is freed", tag)
		}
	}
}

// plausible: tags that only another chunk of the same kind has, one of another size. No
// header of the subject's chunk says so, and nothing but the header could tell.
func (s *subject) plausible(tag uint64, p uintptr) bool {
	if s.Methods.Freed(tag) || !s.Frees || tag^s.tag(p) >= chunk.Classes {
		return false
	}
	size := s.Methods.SizeOf(s.c, tag)
	return size != 0 && size != s.Methods.SizeOf(s.c, s.tag(p))
}

func (s *subject) absurd() {
	for _, n := range []uintptr{^uintptr(0), ^uintptr(0) - 7, ^uintptr(0) >> 1, kind.MaxChunk + 1} {
		var misuse kind.Misuse
		if _, err := s.Methods.Alloc(s.c, n); !errors.As(err, &misuse) {
			s.Fatalf("Alloc(%d) says %v", n, err)
		}
		if _, err := s.Methods.AllocAligned(s.c, n, 64); !errors.As(err, &misuse) {
			s.Fatalf("AllocAligned(%d, 64) says %v", n, err)
		}
	}
	s.largest()
	fill(s.alloc(64), 64)
}

// largest: the largest size is one, though no machine has the memory.
func (s *subject) largest() {
	if s.OneSize || !s.Hot {
		return // the largest is smaller
	}
	if _, err := s.Methods.Alloc(s.c, kind.MaxChunk); !errors.Is(err, osmem.ErrNoMemory) {
		s.Fatalf("Alloc(%d) says %v", kind.MaxChunk, err)
	}
	for _, align := range []uintptr{64, 1 << 20, kind.MaxChunk/2 + 1<<19} {
		if _, err := s.Methods.AllocAligned(s.c, kind.MaxChunk, align); !errors.Is(err, osmem.ErrNoMemory) {
			s.Fatalf("AllocAligned(%d, %d) says %v", kind.MaxChunk, align, err)
		}
	}
	if !s.Frees {
		return
	}
	p, err := s.Methods.AllocAligned(s.c, 100, 64)
	if err != nil {
		s.Fatalf("AllocAligned(100, 64) says %v", err)
	}
	if _, err := kind.Realloc(s.Methods, s.c, p, s.tag(p), kind.MaxChunk); !errors.Is(err, osmem.ErrNoMemory) {
		s.Fatalf("Realloc of an aligned chunk to %d says %v", kind.MaxChunk, err)
	}
	s.free(p)
}

func (s *subject) accounts() {
	sum := func() uintptr { return s.inUse() - s.before }
	for i := range uintptr(2000) {
		p := s.alloc(s.size(i % 300))
		if i%3 == 0 && s.Frees {
			s.free(p)
		}
		st := s.Methods.Stats(s.c, false)
		if st.Total != sum() || st.Free > st.Total || !st.Live && i%3 != 0 {
			s.Fatalf("stats %+v, the page heap has %d in use", st, sum())
		}
	}
	s.Methods.Reset(s.c)
	if st := s.Methods.Stats(s.c, false); st.Total != sum() || st.Live || st.FreeChunks > st.Blocks && !s.OneSize {
		s.Fatalf("stats after the reset %+v, the page heap has %d in use", st, sum())
	}
}

// traffic allocates, frees and resizes at random, and looks at every byte.
func (s *subject) traffic() {
	rng := rand.New(rand.NewPCG(7, uint64(s.ID)))
	var held []live
	for step := range 30000 {
		if step%1000 < 10 {
			s.consistent()
		}
		if rng.IntN(300) == 0 {
			s.compact()
		}
		i := 0
		if len(held) > 0 {
			i = rng.IntN(len(held))
		}
		switch {
		case len(held) < 50 || rng.IntN(2) == 0 && len(held) < 400:
			n := s.size(randomSize(rng))
			p := s.alloc(n)
			fill(p, n)
			held = append(held, live{p, n, p})
			continue
		case !s.Frees:
			s.holds(held[i].p, held[i].n, held[i].from)
			s.Methods.Reset(s.c)
			held = held[:0]
			continue
		case !s.OneSize && rng.IntN(3) == 0:
			held[i] = s.resize(held[i], randomSize(rng))
			continue
		}
		s.holds(held[i].p, held[i].n, held[i].from)
		s.free(held[i].p)
		held[i] = held[len(held)-1]
		held = held[:len(held)-1]
	}
	for _, h := range held {
		s.holds(h.p, h.n, h.from)
		if s.Frees {
			s.free(h.p)
		}
	}
	if s.Frees && s.Methods.Stats(s.c, false).Live {
		s.Fatal("a chunk is live after all were freed")
	}
	if s.compact(); s.Frees && s.c.Total != 0 {
		s.Fatalf("%d bytes are held after all chunks were freed", s.c.Total)
	}
}

// compact checks that Compact releases exactly what the accounts decrease by.
func (s *subject) compact() {
	before := s.inUse()
	gave := s.Methods.Compact(s.c)
	if fell := before - s.inUse(); gave != fell {
		s.Fatalf("Compact returns %d bytes, and %d were released", gave, fell)
	}
	if s.Frees && s.Methods.Compact(s.c) != 0 {
		s.Fatal("a second Compact releases more")
	}
}

func (s *subject) resize(h live, n uintptr) live {
	p, err := kind.Realloc(s.Methods, s.c, h.p, s.tag(h.p), n)
	if err != nil {
		s.Fatalf("Realloc of %d to %d bytes: %v", h.n, n, err)
	}
	s.holds(p, min(h.n, n), h.from)
	fill(p, n)
	return live{p, n, p}
}

func randomSize(rng *rand.Rand) uintptr {
	switch rng.IntN(30) {
	case 0:
		return uintptr(rng.IntN(50000))
	case 1, 2:
		return uintptr(rng.IntN(8200))
	}
	return uintptr(rng.IntN(600))
}
