package cell

import "github.com/gopalloc/palloc/bench/flat"

// The floor: the loop of a replay by itself. Every chunk is one scratch buffer,
// and contexts are nothing.
//
// Invariant: the buffer is as large as the largest chunk. Cost: what a replay
// costs without its allocator.

func init() {
	join("palloc", map[string]workload{"trace-floor": onTrace(newFloorReplay, timed)})
}

type floorReplay struct {
	table   []address
	scratch []byte
}

func newFloorReplay(t *flat.Trace) (replay, error) {
	table, err := newTable(t.Slots())
	if err != nil {
		return nil, err
	}
	scratch, err := flat.Memory(max(t.Largest(), 1))
	return &floorReplay{table, scratch}, err
}

func (r *floorReplay) begin() {}

func (r *floorReplay) end() {}

func (r *floorReplay) at(_ uint32, size int) []byte { return r.scratch[:size] }

func (r *floorReplay) play(ops []flat.Op) {
	table, p := r.table, begin(r.scratch)
	for i := range ops {
		o := &ops[i]
		switch size := int(o.Size); o.Code {
		case flat.Alloc:
			if o.Flags&flat.Cleared != 0 {
				clear(part(p, 0, size))
			}
			table[o.Arg].set(p)
			touchEnds(p, size)
		case flat.Realloc:
			touchLast(table[o.Arg].chunk(), size)
		}
	}
}
