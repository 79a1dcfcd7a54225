package main

// The query on Go's heap: slices of rows, and maps of customers and groups.
//
// Invariant: bytes is the sum of what the partitions' rows take.
//
// Cost: an object for each note, and those of the groups. The bytes that count are an estimate: the collector
// lets the heap grow to about twice what is live.

type goQuery struct {
	customers map[uint32]goCustomer
	parts     [partitions]goPart
	bytes     int64
	limit     int64
	disk      *spill
}

type goCustomer struct {
	name     string
	discount int64
}

type goPart struct {
	rows  []goRow
	bytes int64
}

type goRow struct {
	row
	note string
}

type goGroup struct {
	totals
	note  string
	cents []int64
}

// Bytes that a row and a customer take beside note and name, about.
const (
	perRow      = 48
	perCustomer = 64
)

func queryGo(in *input, limit int64, disk *spill) (*top, error) {
	q := &goQuery{customers: map[uint32]goCustomer{}, limit: limit, disk: disk}
	for c := range in.customers() {
		q.customers[c.id] = goCustomer{string(c.name), c.discount}
		q.bytes += int64(len(c.name)) + perCustomer
	}
	for r, note := range in.orders() {
		if c, found := q.customers[r.customer]; found {
			r.cents -= r.cents * c.discount / 100
			if err := q.add(r, string(note)); err != nil {
				return nil, err
			}
		}
	}
	best := newTop()
	for p := range q.parts {
		if err := q.aggregate(p, best); err != nil {
			return nil, err
		}
	}
	return best, in.err
}

// add adds a row to its partition, and spills the largest one when the rows pass the limit.
func (q *goQuery) add(r row, note string) error {
	part := &q.parts[r.partition()]
	part.rows = append(part.rows, goRow{r, note})
	part.bytes += int64(len(note)) + perRow
	q.bytes += int64(len(note)) + perRow
	if q.bytes <= q.limit {
		return nil
	}
	return q.spillLargest()
}

func (q *goQuery) spillLargest() error {
	largest := 0
	for p, part := range q.parts {
		if part.bytes > q.parts[largest].bytes {
			largest = p
		}
	}
	if err := q.disk.begin(largest); err != nil {
		return err
	}
	for _, r := range q.parts[largest].rows {
		q.disk.write(r.row, r.note)
	}
	q.reset(largest)
	return q.disk.end()
}

// reset drops the rows of a partition.
func (q *goQuery) reset(p int) {
	q.bytes -= q.parts[p].bytes
	q.parts[p] = goPart{}
}

// aggregate offers the groups of a partition, and drops its rows.
func (q *goQuery) aggregate(p int, best *top) error {
	groups := map[group]*goGroup{}
	entry := func(key group) *goGroup {
		g := groups[key]
		if g == nil {
			g = new(goGroup)
			groups[key] = g
		}
		return g
	}
	for _, r := range q.parts[p].rows {
		g := entry(r.group())
		g.cents = append(g.cents, r.cents)
		if g.add(r.row) {
			g.note = r.note
		}
	}
	err := q.disk.read(p, func(r row, note []byte) {
		g := entry(r.group())
		g.cents = append(g.cents, r.cents)
		if g.add(r) {
			g.note = string(note)
		}
	})
	for key, g := range groups {
		best.offer(answer{key, g.totals, median(g.cents), q.customers[key.customer].name, g.note})
	}
	q.reset(p)
	return err
}
