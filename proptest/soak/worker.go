package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gopalloc/palloc"
)

// The work of one goroutine: a cache under a limit, sessions, and requests.
//
// Invariant: every chunk has a cookie of its own at both ends and between, which is
// compared before it is freed. All that a worker holds counts against its limit.
//
// Cost: some microseconds for each step.

// A chunk is bytes of a context, with their content.
type chunk struct {
	bytes  []byte
	cookie uint64
}

// apart is how many bytes lie between those that are written and compared.
const apart = 251

func newChunk(b []byte, cookie uint64) chunk {
	c := chunk{b, cookie}
	for i := 0; i < len(b); i += apart {
		b[i] = c.at(i)
	}
	if len(b) >= 8 {
		binary.LittleEndian.PutUint64(b[len(b)-8:], cookie)
	}
	return c
}

func (c chunk) at(i int) byte { return byte(c.cookie>>(i%8*8)) ^ byte(i) }

// differs returns the index of a byte that is not as it was written, -1 for none.
func (c chunk) differs() int {
	end := len(c.bytes)
	if end >= 8 {
		if end -= 8; binary.LittleEndian.Uint64(c.bytes[end:]) != c.cookie {
			return end
		}
	}
	for i := 0; i < end; i += apart {
		if c.bytes[i] != c.at(i) {
			return i
		}
	}
	return -1
}

// A worker is a goroutine and what it holds.
type worker struct {
	*floor
	r        *rand.Rand
	root     palloc.Context
	cache    palloc.Context
	cached   []chunk
	queue    palloc.Context // Generation
	queued   []chunk
	records  palloc.Context // Slab
	recorded []*record
	sessions []*session
	pressed  int // callbacks of OnPressure since fill began
}

// A record is what a Slab of the workers holds.
type record struct{ id, copies [4]uint64 }

func (f *floor) newWorker(r *rand.Rand) *worker {
	w := &worker{floor: f, r: r, root: palloc.NewAllocSet(f.top, "worker")}
	w.cache = palloc.NewAllocSet(w.root, "cache")
	w.queue = palloc.NewGeneration(w.root, "queue")
	w.records = palloc.NewSlab(w.root, "records", recordSize)
	w.root.SetLimit(share)
	w.cache.OnPressure(w.evict)
	return w
}

const recordSize = 64 // bytes of a record

// work does rounds until it is told to stop, which all workers see in the same round.
func (w *worker) work() {
	for {
		w.fill()
		w.meet.wait(w.sample)
		for range steps {
			w.step()
		}
		if w.done.rounds.Add(1); w.r.IntN(8) == 0 {
			w.drop()
		}
		if w.meet.wait(w.stop.Load) {
			w.drop()
			return
		}
	}
}

// fill puts chunks into the cache until the limit makes the worker free some.
func (w *worker) fill() {
	for w.pressed = 0; w.pressed == 0; {
		w.put()
	}
}

// drop ends all that the worker holds, in one of the ways there are.
func (w *worker) drop() {
	w.verifyAll()
	switch w.r.IntN(3) {
	case 0:
		for _, c := range w.cached {
			palloc.FreeSlice(c.bytes)
		}
		w.cache.Compact()
	case 1:
		w.cache.Reset()
	case 2:
		for _, c := range slices.Backward(w.cached) {
			palloc.FreeSlice(c.bytes)
		}
	}
	w.queue.Reset()
	w.records.Reset()
	for _, s := range w.sessions {
		s.end(w.floor)
	}
	clear(w.cached)
	clear(w.queued)
	w.cached, w.queued, w.recorded, w.sessions = w.cached[:0], w.queued[:0], w.recorded[:0], w.sessions[:0]
}

func (w *worker) verifyAll() {
	for _, c := range w.cached {
		w.verify(c)
	}
	for _, c := range w.queued {
		w.verify(c)
	}
	for _, r := range w.recorded {
		w.verifyRecord(r)
	}
}

func (w *worker) verifyRecord(r *record) {
	if w.done.chunks.Add(1); r.id != r.copies {
		w.fail(fmt.Errorf("a record has %d and %d", r.id, r.copies))
	}
}

// step does one operation.
func (w *worker) step() {
	switch n := w.r.IntN(100); {
	case n < 40:
		w.put()
	case n < 52:
		w.remove(w.r.IntN(max(len(w.cached), 1)))
	case n < 62:
		w.enqueue()
	case n < 75:
		w.record()
	case n < 85:
		w.request()
	case n < 93:
		w.session()
	default:
		w.exchange()
	}
}

// size returns the size of a chunk: most are small, one in 64 is not.
func (w *worker) size() int {
	if w.r.IntN(64) == 0 {
		return w.r.IntN(300 << 10)
	}
	return 1 + w.r.IntN(16<<w.r.IntN(10))
}

// put puts a chunk into the cache. The limit makes room for it.
func (w *worker) put() {
	if b, err := tryBytes(w.cache, w.size()); err == nil {
		w.cached = append(w.cached, newChunk(b, w.r.Uint64()))
	}
}

// remove frees a chunk of the cache.
func (w *worker) remove(i int) {
	if i >= len(w.cached) {
		return
	}
	w.verify(w.cached[i])
	palloc.FreeSlice(w.cached[i].bytes)
	last := len(w.cached) - 1
	w.cached[i] = w.cached[last]
	w.cached[last] = chunk{}
	w.cached = w.cached[:last]
}

// evict frees chunks at random for the request that exceeds the limit.
func (w *worker) evict(p palloc.Pressure) error {
	w.done.pressures.Add(1)
	w.pressed++
	for freed := int64(0); freed < 2*p.Need && len(w.cached) > 0; {
		i := w.r.IntN(len(w.cached))
		freed += int64(len(w.cached[i].bytes))
		w.remove(i)
	}
	w.cache.Compact()
	return nil
}

// enqueue adds a message to the queue and removes those that are too many.
func (w *worker) enqueue() {
	if b, err := tryBytes(w.queue, 1+w.r.IntN(3000)); err == nil {
		w.queued = append(w.queued, newChunk(b, w.r.Uint64()))
	}
	for len(w.queued) > 500 {
		w.verify(w.queued[0])
		palloc.FreeSlice(w.queued[0].bytes)
		w.queued = slices.Delete(w.queued, 0, 1)
	}
}

// record makes a record, or frees one.
func (w *worker) record() {
	if n := len(w.recorded); n > 0 && w.r.IntN(2000) < n {
		i := w.r.IntN(n)
		w.verifyRecord(w.recorded[i])
		palloc.Free(w.recorded[i])
		w.recorded[i] = w.recorded[n-1]
		w.recorded = w.recorded[:n-1]
		return
	}
	if r, err := palloc.TryNew[record](w.records); err == nil {
		for i := range r.id {
			r.id[i] = w.r.Uint64()
		}
		r.copies = r.id
		w.recorded = append(w.recorded, r)
	}
}

// tryBytes returns size bytes of the context.
func tryBytes(mc palloc.Context, size int) ([]byte, error) {
	return palloc.TryMakeSlice[byte](mc, size, size)
}
