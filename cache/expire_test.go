package cache_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
	"github.com/gopalloc/palloc/palloctest"
)

// A clock is set by its test.
type clock struct{ now time.Time }

// newTimed returns a cache with a clock.
func newTimed(t *testing.T, mc palloc.Context, limit int64) (*cache.Cache, *clock) {
	c, at := cache.New(mc, "cache", limit), &clock{time.Unix(1_000_000, 0)}
	t.Cleanup(c.Context().Delete)
	c.SetClock(func() time.Time { return at.now })
	return c, at
}

// after returns the time so much later.
func (c *clock) after(d time.Duration) time.Time { return c.now.Add(d) }

// A timed is what the model has of a key.
type timed struct {
	value    []byte
	deadline time.Time
}

// A world is a cache and its model, a map of Go's. The cache may have less where it evicts.
type world struct {
	t      *testing.T
	r      *rand.Rand
	c      *cache.Cache
	clock  *clock
	exact  bool // the cache does not evict
	values map[string]timed

	refused int64 // by the cache
}

// model returns what the model has of a key, and drops what is past its deadline.
func (w *world) model(key string) (timed, bool) {
	m, found := w.values[key]
	if found && !m.deadline.IsZero() && !w.clock.now.Before(m.deadline) {
		delete(w.values, key)
		return timed{}, false
	}
	return m, found
}

// same compares what a method says of a key with the model, and reports whether the cache has it.
func (w *world) same(op, key string, found bool, value []byte, deadline time.Time) bool {
	w.t.Helper()
	m, want := w.model(key)
	switch {
	case found && !want, w.exact && found != want:
		w.t.Fatalf("%s finds %s: %v, and the model %v", op, key, found, want)
	case found && value != nil && !bytes.Equal(value, m.value):
		w.t.Fatalf("%s: %s is %q, and the model's %q", op, key, value, m.value)
	case found && !deadline.Equal(m.deadline):
		w.t.Fatalf("%s: %s has until %v, and the model's %v", op, key, deadline, m.deadline)
	case !found:
		delete(w.values, key)
	}
	return found
}

// deadline returns one that is soon, or none.
func (w *world) deadline() (d time.Time) {
	if w.r.IntN(3) > 0 {
		d = w.clock.after(time.Duration(w.r.IntN(40)-2) * time.Second)
	}
	return d
}

// put sets a key of the model, after the cache said whether it is there.
func (w *world) put(op, key string, kept bool, m timed) {
	w.t.Helper()
	w.values[key] = m
	_, live := w.model(key)
	if n := w.c.Counts().Refused; n > w.refused && !w.exact { // a small checked cache, where blocks are large
		w.refused = n
		delete(w.values, key)
		live = false
	}
	if kept != live {
		w.t.Fatalf("%s keeps %s: %v", op, key, kept)
	}
}

// update changes a key in a way that depends on what it has.
func (w *world) update(key string, step int) {
	var next timed
	keep, deadline := w.r.IntN(8) > 0, w.deadline()
	kept := w.c.Update(key, func(i *cache.Item) bool {
		w.same("Update", key, i.Found, i.Value, i.Deadline)
		next = timed{bytes.Clone(i.Value), i.Deadline}
		switch w.r.IntN(4) {
		case 0: // in place
			for j := range i.Value {
				i.Value[j]++
				next.value[j]++
			}
		case 1: // a part of itself
			i.Value = i.Value[len(i.Value)/2:]
			next.value = next.value[len(next.value)/2:]
		case 2: // itself and more
			i.Value = append(i.Value, key...)
			next.value = append(next.value, key...)
		default:
			next = timed{valueOf(key, step, w.r.IntN(200)), deadline}
			i.Value, i.Deadline = next.value, next.deadline
		}
		return keep
	})
	if !keep {
		next.deadline = time.Unix(1, 0)
	}
	w.put("Update", key, kept, next)
}

func (w *world) step(step int) {
	key := strconv.Itoa(w.r.IntN(200))
	none := time.Time{}
	switch w.r.IntN(10) {
	case 0:
		w.clock.now = w.clock.after(time.Duration(w.r.IntN(3)) * time.Second)
	case 1:
		m := timed{value: valueOf(key, step, w.r.IntN(1000))}
		w.put("Put", key, w.c.Put(key, m.value), m)
	case 2:
		m := timed{valueOf(key, step, w.r.IntN(1000)), w.deadline()}
		w.put("PutUntil", key, w.c.PutUntilBytes([]byte(key), m.value, m.deadline), m)
	case 3, 4:
		w.update(key, step)
	case 5:
		d := w.deadline()
		m, _ := w.model(key)
		if w.same("SetDeadline", key, w.c.SetDeadline(key, d), nil, m.deadline) {
			w.values[key] = timed{m.value, d}
		}
	case 6:
		d, found := w.c.Deadline(key)
		w.same("Deadline", key, found, nil, d)
	case 7:
		var value []byte
		found := w.c.ViewBytes([]byte(key), func(v []byte) { value = bytes.Clone(v) })
		m, _ := w.model(key)
		w.same("View", key, found, value, m.deadline)
	case 8:
		m, _ := w.model(key)
		w.same("Has", key, w.c.HasBytes([]byte(key)), nil, m.deadline)
	default:
		w.same("Delete", key, w.c.Delete(key), nil, w.values[key].deadline)
		if _, found := w.c.Get(nil, key); found {
			w.same("Get", key, true, nil, none.Add(1))
		}
		delete(w.values, key)
	}
}

// TestDeadlinesAndChangesAreThoseOfTheModel compares random programs with Go's map and a clock: a cache
// with room for all has the same, also in parts, and a small one the same or nothing.
func TestDeadlinesAndChangesAreThoseOfTheModel(t *testing.T) {
	expired := int64(0)
	for seed := range programs() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			mc := palloctest.New(t)
			if seed%4 < 2 {
				mc = palloctest.New(t, palloctest.Unchecked())
			}
			limit := int64(48 << 10)
			if seed%2 == 0 {
				limit = 16 << 20
			}
			c, at := newTimed(t, mc, limit)
			if seed%8 == 0 {
				c = cache.NewParts(mc, "parts", limit, 4)
				t.Cleanup(c.Context().Delete)
				c.SetClock(func() time.Time { return at.now })
			}
			w := &world{t: t, r: rand.New(rand.NewPCG(uint64(seed), 11)), c: c, clock: at, exact: seed%2 == 0, values: map[string]timed{}}
			for step := range 1000 {
				w.step(step)
			}
			for key := range w.values {
				v, found := c.Get(nil, key)
				m, _ := w.model(key)
				w.same("Get", key, found, v, m.deadline)
			}
			n := c.Counts()
			if w.exact && (c.Len() != len(w.values) || n.Evicted > 0) {
				t.Errorf("%d entries, and the model has %d: %+v", c.Len(), len(w.values), n)
			}
			if !w.exact && n.Evicted+n.Refused == 0 {
				t.Error("nothing was evicted or refused")
			}
			expired += n.Expired
			if err := mc.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	if expired == 0 {
		t.Error("nothing expired")
	}
}

func TestTheEdgesOfDeadlines(t *testing.T) {
	c, at := newTimed(t, palloctest.New(t), 1<<20)
	d := at.after(time.Second + 1)
	c.PutUntil("k", []byte("v"), d)
	at.now = d.Add(-1)
	if got, found := c.Deadline("k"); !found || !got.Equal(d) || !c.Has("k") {
		t.Errorf("the deadline is %v, %v, and was %v", got, found, d)
	}
	at.now = d
	if c.Len() != 1 || c.Has("k") || c.Len() != 0 || c.Counts().Expired != 1 {
		t.Errorf("a value is there when its deadline comes: %+v", c.Counts())
	}
	for _, past := range []time.Time{d, d.Add(-time.Hour), time.Unix(0, 0), time.Unix(-1, 0), (time.Time{}).Add(1)} {
		c.Put("k", nil)
		if c.PutUntil("k", nil, past) || c.Has("k") {
			t.Errorf("a value is kept until %v", past)
		}
		c.Put("k", nil)
		if !c.SetDeadline("k", past) || c.Len() != 0 {
			t.Errorf("a value stays whose deadline is set to %v", past)
		}
	}
	for _, far := range []time.Time{d.AddDate(200, 0, 0), d.AddDate(100_000, 0, 0)} {
		if c.PutUntil("k", nil, far); !c.Has("k") {
			t.Errorf("a value is not kept until %v", far)
		}
	}
	c.SetDeadline("k", time.Time{})
	if got, found := c.Deadline("k"); !found || !got.IsZero() {
		t.Errorf("the deadline stays: %v, %v", got, found)
	}
	c.PutUntil("k", nil, at.after(1))
	if c.Put("k", nil); c.SetDeadline("none", d) {
		t.Error("a key without a value has a deadline")
	}
	if at.now = at.after(time.Hour); !c.Has("k") {
		t.Error("Put keeps the deadline of the value before")
	}
	c.PutUntil("k", nil, at.after(1))
	before := c.Counts().Expired
	if !c.Update("k", func(i *cache.Item) bool {
		at.now = i.Deadline
		i.Value, i.Deadline = []byte("longer"), at.after(1)
		return true
	}) || c.Counts().Expired != before {
		t.Error("a value that is changed expires meanwhile")
	}
}

// TestWhatIsPastItsDeadlineGoesFirst fills a cache with values that are all used, and every second one
// past its deadline. All are of one size of chunks, so that what goes leaves room for what comes.
func TestWhatIsPastItsDeadlineGoesFirst(t *testing.T) {
	c, at := newTimed(t, palloctest.New(t, palloctest.Unchecked()), 1<<20)
	n := 0
	for ; c.Counts().Evicted == 0; n++ {
		d := time.Time{}
		if n%2 == 0 {
			d = at.after(time.Minute)
		}
		c.PutUntil(strconv.Itoa(n), make([]byte, 90), d)
	}
	for i := range n {
		c.Get(nil, strconv.Itoa(i))
	}
	evicted := c.Counts().Evicted
	at.now = at.after(time.Hour)
	for i := range n / 4 {
		c.Put("more"+strconv.Itoa(i), make([]byte, 90))
	}
	if got := c.Counts(); got.Evicted != evicted || got.Expired < int64(n)/8 {
		t.Errorf("of %d entries half are past their deadlines, and what went was %+v", n, got)
	}
}
