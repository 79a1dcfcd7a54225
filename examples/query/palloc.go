package main

import (
	"errors"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/vector"
)

// The query in contexts: a Bump for each partition, and one for the groups of the partition that is aggregated, all
// below one context with the limit.
//
// Invariant: the rows of a partition lie in its context, with their notes. The partition that is being aggregated
// is not spilled.
//
// Cost: customers, rows and groups hold the limit at most, to the byte.

type pallocQuery struct {
	mc        palloc.Context
	customers *hashmap.Map[uint32, pallocCustomer]
	parts     [partitions]pallocPart
	current   int // the partition that is aggregated; -1 while rows are added
	disk      *spill
}

type pallocCustomer struct {
	name     palloc.Text
	discount int64
}

type pallocPart struct {
	mc   palloc.Context
	rows *vector.Vector[pallocRow]
}

type pallocRow struct {
	row
	note palloc.Text
}

type pallocGroup struct {
	totals
	note  palloc.Text
	cents palloc.Vec[int64]
}

var errNothingToSpill = errors.New("no other partition has rows")

func queryPalloc(in *input, limit int64, disk *spill) (best *top, err error) {
	best = newTop()
	err = palloc.Scope(palloc.Top(), "query", func(mc palloc.Context) error {
		mc.SetLimit(limit)
		q := &pallocQuery{mc: mc, customers: hashmap.New[uint32, pallocCustomer](mc, 0), current: -1, disk: disk}
		for p := range q.parts {
			part := palloc.NewBump(mc, "partition")
			q.parts[p] = pallocPart{part, vector.New[pallocRow](part)}
		}
		for c := range in.customers() {
			q.customers.Put(c.id, pallocCustomer{palloc.NewText(mc, c.name), c.discount})
		}
		for r, note := range in.orders() {
			if c := q.customers.Ref(r.customer); c != nil {
				r.cents -= r.cents * c.discount / 100
				if err := q.add(&q.parts[r.partition()], r, note); err != nil {
					return err
				}
			}
		}
		mc.OnPressure(func(p palloc.Pressure) error { return q.spill(p.Need) })
		for q.current = range q.parts {
			if err := q.aggregate(&q.parts[q.current], best); err != nil {
				return err
			}
		}
		return in.err
	})
	return best, err
}

// add adds a row to its partition. Where the limit refuses that, it spills the largest one, which may be the same.
func (q *pallocQuery) add(part *pallocPart, r row, note []byte) error {
	for {
		text, err := palloc.TryNewText(part.mc, note)
		if err == nil {
			_, err = part.rows.TryAppend(pallocRow{r, text})
		}
		if err == nil {
			return nil
		}
		if none := q.spill(1); none != nil {
			return errors.Join(err, none)
		}
	}
}

// spill writes the largest partitions to disk, other than the current one, until as many bytes are free.
func (q *pallocQuery) spill(need int64) error {
	for before := q.mc.TreeHeld(); before-q.mc.TreeHeld() < need; {
		largest := -1
		for i, part := range q.parts {
			if part.rows.Len() > 0 && i != q.current && (largest < 0 || part.mc.Held() > q.parts[largest].mc.Held()) {
				largest = i
			}
		}
		if largest < 0 {
			return errNothingToSpill
		}
		if err := q.disk.begin(largest); err != nil {
			return err
		}
		for _, r := range q.parts[largest].rows.All() {
			q.disk.write(r.row, r.note.String())
		}
		if err := q.disk.end(); err != nil {
			return err
		}
		q.parts[largest].reset()
	}
	return nil
}

func (p *pallocPart) reset() {
	p.mc.Reset()
	p.rows = vector.New[pallocRow](p.mc)
}

// aggregate offers the groups of the current partition, and drops its rows.
func (q *pallocQuery) aggregate(part *pallocPart, best *top) error {
	return palloc.Scope(q.mc, "groups", func(mc palloc.Context) error {
		groups := hashmap.New[group, pallocGroup](mc, 0)
		for _, r := range part.rows.All() {
			g := groups.Entry(r.group())
			g.cents.Append(mc, r.cents)
			if g.add(r.row) {
				g.note = r.note
			}
		}
		err := q.disk.read(q.current, func(r row, note []byte) {
			g := groups.Entry(r.group())
			g.cents.Append(mc, r.cents)
			if g.add(r) {
				g.note = palloc.NewText(mc, note)
			}
		})
		for key, g := range groups.All() {
			c := q.customers.Ref(key.customer)
			best.offer(answer{key, g.totals, median(g.cents.Slice()), c.name.String(), g.note.String()})
		}
		part.reset()
		return err
	}, palloc.OfKind(palloc.KindBump))
}
