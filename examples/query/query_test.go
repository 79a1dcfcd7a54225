package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// Both implementations print the same, with and without files, and that is what a plain program finds.

const testOrders, testCustomers = 30_000, 1000

// plain answers the query without partitions: all rows of a group are together, and are sorted.
func plain(t *testing.T, csv string) string {
	t.Helper()
	in := &input{count: testCustomers, seed: 7}
	discounts, names := map[uint32]int64{}, map[uint32]string{}
	for c := range in.customers() {
		discounts[c.id], names[c.id] = c.discount, string(c.name)
	}
	text, err := os.ReadFile(csv)
	if err != nil {
		t.Fatal(err)
	}
	in.lines = bufio.NewReader(bytes.NewReader(text))
	rows, notes := map[group][]row{}, map[int64]string{}
	for r, note := range in.orders() {
		if d, found := discounts[r.customer]; found {
			r.cents -= r.cents * d / 100
			rows[r.group()] = append(rows[r.group()], r)
			notes[r.order] = string(note)
		}
	}
	var all []answer
	for key, list := range rows {
		a := answer{group: key, name: names[key.customer]}
		slices.SortFunc(list, func(a, b row) int { return int(a.cents - b.cents) })
		a.median = list[(len(list)-1)/2].cents
		slices.SortFunc(list, func(a, b row) int { return int(a.day-b.day)*testOrders*2 + int(a.order-b.order) })
		last := list[len(list)-1]
		a.day, a.note = last.day, notes[last.order]
		for _, r := range list {
			a.sum += r.cents
			a.count++
		}
		all = append(all, a)
	}
	slices.SortFunc(all, before)
	var out strings.Builder
	if err := (&top{best: all[:maxBest]}).print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestImplementationsPrintTheSame(t *testing.T) {
	csv := filepath.Join(t.TempDir(), "orders.csv")
	if err := (&input{count: testCustomers, seed: 7}).writeOrders(csv, testOrders); err != nil {
		t.Fatal(err)
	}
	want := plain(t, csv)
	for memory, run := range queries {
		for limit, spills := range map[int64]bool{1 << 20: true, 64 << 20: false} {
			var got strings.Builder
			disk, err := execute(&got, run, &input{count: testCustomers, seed: 7}, testOrders, csv, limit)
			if err != nil {
				t.Fatal(memory, limit, err)
			}
			if got.String() != want {
				t.Errorf("%s with %d bytes prints %.200s, and a plain program %.200s", memory, limit, got.String(), want)
			}
			if spilled := disk.rows > 0; spilled != spills || disk.rows > testOrders {
				t.Errorf("%s with %d bytes spills %d rows", memory, limit, disk.rows)
			}
		}
	}
}

func TestEmptyInput(t *testing.T) {
	for memory, run := range queries {
		var got strings.Builder
		if _, err := execute(&got, run, &input{count: 1, seed: 7}, 0, "", 1<<20); err != nil || got.Len() > 0 {
			t.Errorf("%s prints %q: %v", memory, got.String(), err)
		}
	}
}

func TestBadOrdersAreErrors(t *testing.T) {
	good := "1,1,20240101,100,note\n"
	for _, bad := range []string{"1,1,20240101,100,cut", "1,1,20240101,x,note\n", "1,1\n", "\n", "9999999999999999999,1,1,1,n\n", "1,1,1,1\n",
		"1,4294967297,20240101,100,note\n", "1,1,4294967297,100,note\n"} {
		csv := filepath.Join(t.TempDir(), "orders.csv")
		if err := os.WriteFile(csv, []byte(good+bad), 0o600); err != nil {
			t.Fatal(err)
		}
		for memory, run := range queries {
			if _, err := execute(new(strings.Builder), run, &input{count: 10, seed: 7}, 0, csv, 1<<20); err == nil {
				t.Errorf("%s takes %q", memory, bad)
			}
		}
	}
}

// TestALimitForLessThanTheCustomersIsAnError: nothing stays in the tree.
func TestALimitForLessThanTheCustomersIsAnError(t *testing.T) {
	var full *palloc.OutOfMemoryError
	_, err := execute(new(strings.Builder), queryPalloc, &input{count: 10_000, seed: 7}, 10, "", 100<<10)
	if !errors.As(err, &full) {
		t.Error(err)
	}
	for mc := range palloc.Top().Children() {
		t.Error(mc.Path(), "stays")
	}
}

// TestAFileThatCannotBeWrittenIsAnError: rows that are not on disk must not be missing in the answer.
func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	dir := t.TempDir()
	csv := filepath.Join(dir, "orders.csv")
	if err := (&input{count: testCustomers, seed: 7}).writeOrders(csv, testOrders); err != nil {
		t.Fatal(err)
	}
	for memory, run := range queries {
		file, err := os.Open(csv)
		if err != nil {
			t.Fatal(err)
		}
		disk := newSpill(dir)
		for p := range disk.files {
			disk.files[p], err = os.Open(csv) // to read only
			if err != nil {
				t.Fatal(err)
			}
		}
		in := &input{count: testCustomers, seed: 7, lines: bufio.NewReader(file)}
		if _, err := run(in, 1<<20, disk); !errors.Is(err, disk.err) || disk.err == nil {
			t.Errorf("%s returns %v, and the error is %v", memory, err, disk.err)
		}
		disk.close()
		file.Close()
	}
}

func TestAnErrorOfAFileStays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name) // to read only
	if err != nil {
		t.Fatal(err)
	}
	disk := newSpill(t.TempDir())
	defer disk.close()
	disk.files[0] = file
	if err := disk.begin(0); err != nil {
		t.Fatal(err)
	}
	disk.write(row{}, "note")
	if disk.end() == nil || disk.begin(1) == nil {
		t.Error("no error")
	}
}

// TestOneLargePartition has different parts of it in memory when its groups need some: it is spilled while its own rows
// are added, and not while it is aggregated.
func TestOneLargePartition(t *testing.T) {
	const note = "a note of some length, as others have it"
	if p := (row{customer: 0}).partition(); p != 0 {
		t.Fatal("customer 0 is in partition", p)
	}
	var others bytes.Buffer
	for n := range 10_000 {
		fmt.Fprintf(&others, "%d,%d,20240101,100,%s\n", n, 1+n%999, note)
	}
	for count := 1000; count <= 6000; count += 1000 {
		csv := bytes.NewBuffer(bytes.Clone(others.Bytes()))
		for n := range count {
			fmt.Fprintf(csv, "%d,0,%d0101,%d,%s\n", n, 1000+n%400, n, note)
		}
		name := filepath.Join(t.TempDir(), "orders.csv")
		if err := os.WriteFile(name, csv.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for memory, run := range queries {
			var out strings.Builder
			if _, err := execute(&out, run, &input{count: 1000, seed: 7}, 0, name, 1<<20); err != nil {
				t.Fatal(count, memory, err)
			}
			got[memory] = out.String()
		}
		if got["palloc"] != got["go"] {
			t.Errorf("with %d orders: %.300s differs from %.300s", count, got["palloc"], got["go"])
		}
	}
}

// TestANoteIsValidWhileOthersAreSpilled: the groups of what is read need memory, for which other partitions are spilled.
func TestANoteIsValidWhileOthersAreSpilled(t *testing.T) {
	disk := newSpill(t.TempDir())
	defer disk.close()
	spill := func(p int, r row, note string) {
		if err := disk.begin(p); err != nil {
			t.Fatal(err)
		}
		disk.write(r, note)
		if err := disk.end(); err != nil {
			t.Fatal(err)
		}
	}
	notes := []string{"a note that is longer than a row is on disk", "short", strings.Repeat("long", 100)}
	for n, note := range notes {
		spill(0, row{order: int64(n)}, note)
	}
	var got []string
	err := disk.read(0, func(r row, note []byte) {
		spill(1, row{order: -1, customer: 1 << 31, cents: -1}, "another")
		if r.order != int64(len(got)) {
			t.Error("row", r.order, "is read, want", len(got))
		}
		got = append(got, string(note))
	})
	if err != nil || !slices.Equal(got, notes) {
		t.Errorf("the notes are %q, want %q: %v", got, notes, err)
	}
}

func TestOrdersThatCannotBeReadAreAnError(t *testing.T) {
	for memory, run := range queries {
		if _, err := execute(new(strings.Builder), run, &input{count: 10, seed: 7}, 0, t.TempDir(), 1<<20); err == nil {
			t.Errorf("%s takes a folder for orders", memory)
		}
	}
}

func TestNumbersOutOfRangeAreRefused(t *testing.T) {
	for _, c := range []struct {
		limit             int64
		orders, customers int
		ok                bool
	}{
		{1, 0, 1, true}, {maxLimit, 1, maxCustomers, true}, {0, 1, 1, false}, {-1, 1, 1, false}, {maxLimit + 1, 1, 1, false},
		{math.MaxInt64, 1, 1, false}, {1, -1, 1, false}, {1, 1, 0, false}, {1, 1, maxCustomers + 1, false}, {1, 1, math.MaxInt, false},
	} {
		if inRange(c.limit, c.orders, c.customers) != c.ok {
			t.Errorf("%+v", c)
		}
	}
}
