package simplepool

import (
	"testing"
)

// Each step is tested by itself: what it adds, and what it keeps.

func TestStep1ChunksLieSideBySide(t *testing.T) {
	b := newBlock(64)
	first, second := b.alloc(10), b.alloc(48)
	if &first[0] != &b.memory[0] || &second[0] != &b.memory[16] {
		t.Error("the second chunk is not at the next multiple of 8")
	}
	if len(second) != 48 || cap(second) != 48 {
		t.Errorf("a chunk of 48 bytes has %d, and %d to grow into", len(second), cap(second))
	}
	if b.alloc(1) != nil {
		t.Error("a full block allocates")
	}
	if chunk := newBlock(8).alloc(9); chunk != nil {
		t.Error("a chunk is larger than its block")
	}
}

func TestStep2AFullBlockIsFollowedByAnother(t *testing.T) {
	var p Pool
	for i := range 1000 {
		chunk := p.allocSmall(64)
		for j := range chunk {
			chunk[j] = byte(i)
		}
		if want := (i + 128) / 128 * blockSize; p.Held() != want {
			t.Fatalf("%d chunks of 64 bytes hold %d bytes, not %d", i+1, p.Held(), want)
		}
	}
	for i := range 1000 { // no chunk lies in another
		if chunk := p.blocks[i/128].memory[i%128*64:]; chunk[0] != byte(i) || chunk[63] != byte(i) {
			t.Fatalf("chunk %d was overwritten", i)
		}
	}
}

func TestStep3ALargeChunkHasABlockOfItsOwn(t *testing.T) {
	var p Pool
	small := p.Alloc(8)
	large := p.Alloc(100_000)
	next := p.Alloc(8)
	if len(large) != 100_000 || p.Held() != blockSize+100_000 {
		t.Errorf("a chunk of 100000 bytes has %d, and the pool holds %d", len(large), p.Held())
	}
	if &small[0] != &p.blocks[0].memory[0] || &next[0] != &p.blocks[0].memory[8] {
		t.Error("a large chunk ends the current block")
	}
}

func TestStep4AllChunksEndAtOnce(t *testing.T) {
	var p Pool
	p.Reset()
	round := func() {
		for range 1000 {
			p.Alloc(64)
		}
	}
	for range 3 {
		round()
		p.Alloc(10_000)
		p.Reset()
		if p.Held() != 8*blockSize {
			t.Errorf("%d bytes are held after a reset, not the 8 blocks of a round", p.Held())
		}
	}
	if allocs := testing.AllocsPerRun(10, func() { round(); p.Reset() }); allocs != 0 {
		t.Errorf("a second round acquires %v blocks", allocs)
	}
	if chunk := p.Alloc(8); &chunk[0] != &p.blocks[0].memory[0] {
		t.Error("the first chunk after a reset is not at the beginning of the first block")
	}
	if p.Release(); p.Held() != 0 {
		t.Errorf("%d bytes are held after the release", p.Held())
	}
	if p.Alloc(10_000); p.Held() != 10_000 {
		t.Error("a released pool cannot be used again")
	}
	if p.Reset(); p.Held() != 0 {
		t.Errorf("%d bytes are held after the reset of a pool with only a large chunk", p.Held())
	}
}
