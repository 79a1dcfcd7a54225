package cell

import (
	"unsafe"

	"github.com/gopalloc/palloc/bench/flat"
)

// Go's heap: replays of flat traces, with contexts as nothing: what a reset ends
// is dropped from the table one by one.
//
// Invariant: the table is scanned, and a chunk lives by being in it. Cost: what is
// measured; which chunks a reset ends was worked out before.

func init() {
	join("goheap", map[string]workload{
		"trace":         onTrace(newGoReplay, timed),
		"trace-touched": onTrace(newGoReplay, touched),
	})
}

type goReplay struct {
	deaths  flat.Deaths
	release int // of the next reset or delete
	table   []unsafe.Pointer
}

func newGoReplay(t *flat.Trace) (replay, error) {
	deaths, err := t.Deaths()
	r := &goReplay{deaths: deaths, table: make([]unsafe.Pointer, t.Slots())}
	clear(r.table) // makes it resident
	return r, err
}

func (r *goReplay) begin() { r.release = 0 }

func (r *goReplay) end() { clear(r.table) }

func (r *goReplay) at(slot uint32, size int) []byte { return part(r.table[slot], 0, size) }

func (r *goReplay) play(ops []flat.Op) {
	table := r.table
	for i := range ops {
		o := &ops[i]
		switch o.Code {
		case flat.Alloc:
			size := int(o.Size)
			p := begin(make([]byte, size))
			table[o.Arg] = p
			touchEnds(p, size)
		case flat.Free:
			table[o.Arg] = nil
		case flat.Realloc:
			size := int(o.Size)
			p := goResize(table[o.Arg], int(o.Old), size)
			table[o.Arg] = p
			touchLast(p, size)
		case flat.Reset, flat.ResetOnly, flat.ResetChildren, flat.Delete, flat.DeleteChildren:
			for _, slot := range r.deaths.Of(r.release) {
				table[slot] = nil
			}
			r.release++
		}
	}
}

// goResize keeps a chunk that shrinks, and copies one that grows.
func goResize(p unsafe.Pointer, old, size int) unsafe.Pointer {
	if size <= old {
		return p
	}
	grown := make([]byte, size)
	copy(grown, part(p, 0, old))
	return begin(grown)
}
