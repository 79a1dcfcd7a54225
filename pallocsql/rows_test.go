package pallocsql_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/pallocsql"
	"github.com/gopalloc/palloc/palloctest"
)

// What is read is what database/sql reads, but in the context; NULL, refusals and mistakes.

type name string
type blob []byte

var moment = time.Date(2026, 2, 3, 4, 5, 6, 789, time.FixedZone("", 3600))

// values are those of drivers, and one beyond.
var values = []driver.Value{"text", "", "größer", []byte("bytes"), []byte{}, []byte{0, 255}, int64(-1 << 63), int64(7), 1.5, 1e30, true, false, moment, uint8(200)}

// one returns the rows of one value.
func one(t *testing.T, v driver.Value) *sql.Rows {
	t.Helper()
	rows := query(t, &table{columns: []string{"id", "col"}, rows: [][]driver.Value{{int64(1), v}}, reuse: true})
	t.Cleanup(func() { rows.Close() })
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	return rows
}

func TestTextIsWhatSQLMakes(t *testing.T) {
	for _, v := range values {
		var want string
		var id int
		if err := one(t, v).Scan(&id, &want); err != nil {
			t.Fatal(err)
		}
		mc := palloctest.New(t, palloctest.AllowChunks())
		var text palloc.Text
		var s string
		var n name
		var b []byte
		var l blob
		var null sql.Null[palloc.Text]
		var nulls sql.Null[string]
		var older sql.NullString
		for _, d := range []any{&text, &s, &n, &b, &l, &null, &nulls, &older} {
			if err := pallocsql.On(mc, one(t, v)).Scan(&id, d); err != nil {
				t.Fatalf("%v: %v", v, err)
			}
		}
		for _, got := range []string{text.String(), s, string(n), string(b), string(l), null.V.String(), nulls.V, older.String} {
			if got != want {
				t.Errorf("%T %v becomes %q, and %q with database/sql", v, v, got, want)
			}
		}
		if !null.Valid || !nulls.Valid || !older.Valid || b == nil || l == nil {
			t.Errorf("%T %v becomes NULL", v, v)
		}
		if want != "" { // a panic for what is in no context
			palloc.TextOf(s)
			palloc.TextOf(string(n))
			palloc.TextOf(nulls.V)
			palloc.TextOf(older.String)
			palloc.VecOf(b)
			palloc.VecOf([]byte(l))
		}
	}
}

func TestToIsForEveryScan(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	db := open(t, &table{columns: []string{"a", "b", "c"}, rows: [][]driver.Value{{"a", []byte("b"), nil}}})
	var a palloc.Text
	var b []byte
	c := sql.Null[palloc.Text]{V: a, Valid: true}
	if err := db.QueryRow("").Scan(pallocsql.To(mc, &a), pallocsql.To(mc, &b), pallocsql.To(mc, &c)); err != nil {
		t.Fatal(err)
	}
	if a.String() != "a" || string(b) != "b" || c.Valid {
		t.Error(a, b, c.Valid)
	}
}

func TestNULL(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	filled := palloc.NewText(mc, "before")
	b, null, nulls, older := []byte("before"), sql.Null[palloc.Text]{V: filled, Valid: true}, sql.Null[string]{V: "before", Valid: true}, sql.NullString{String: "before", Valid: true}
	var id int64
	for _, d := range []any{&b, &null, &nulls, &older} {
		if err := pallocsql.On(mc, one(t, nil)).Scan(&id, d); err != nil {
			t.Errorf("%T: %v", d, err)
		}
	}
	if b != nil || null.Valid || null.V.Len() > 0 || nulls.Valid || nulls.V != "" || older.Valid || older.String != "" {
		t.Error(b, null.Valid, nulls, older)
	}
	s := "before"
	for _, d := range []any{&filled, &s} {
		err := pallocsql.On(mc, one(t, nil)).Scan(&id, d)
		if err == nil || !strings.Contains(err.Error(), `column index 1, name "col"`) || !strings.Contains(err.Error(), "sql.Null[palloc.Text]") {
			t.Errorf("%T: the error is %v", d, err)
		}
	}
	if filled.String() != "before" || s != "before" {
		t.Error("a destination changed with an error:", filled, s)
	}
}

func TestDestinationsOnGosHeapAreRefused(t *testing.T) {
	mc := palloctest.New(t)
	var s *string
	var a any
	var list []string
	var mixed []struct{ b byte }
	var record struct{ s string }
	id := int64(5)
	for _, d := range []any{&s, &a, &list, &mixed, &record} {
		err := pallocsql.On(mc, one(t, "text")).Scan(&id, d)
		if err == nil || !strings.Contains(err.Error(), `column index 1, name "col"`) || !strings.Contains(err.Error(), fmt.Sprintf("%T would refer to Go's heap", d)) {
			t.Errorf("%T: the error is %v", d, err)
		}
	}
	if id != 5 {
		t.Error("a refused row was read")
	}
	if err := pallocsql.On(mc, one(t, "text")).Scan(&id, id); err == nil || !strings.Contains(err.Error(), `name "col"`) {
		t.Error("no pointer:", err)
	}
	if err := pallocsql.On(mc, one(t, "text")).Scan(&id); err == nil {
		t.Error("too few destinations are taken")
	}
}

func TestNilDestinationsAreErrors(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	var id int
	for _, d := range []any{nil, (*palloc.Text)(nil), (*string)(nil), (*name)(nil), (*[]byte)(nil), (*int64)(nil), (*sql.Null[palloc.Text])(nil)} {
		rows := one(t, int64(1))
		if err := pallocsql.On(mc, rows).Scan(&id, d); err == nil || !strings.Contains(err.Error(), `name "col"`) {
			t.Errorf("%T: the error is %v", d, err)
		}
	}
}

// TestAFailedScanKeepsItsDestination: there is no memory for the copy.
func TestAFailedScanKeepsItsDestination(t *testing.T) {
	mc := palloctest.New(t)
	mc.SetLimit(0)
	var text palloc.Text
	var b []byte
	var null sql.Null[palloc.Text]
	var nulls sql.Null[string]
	var older sql.NullString
	s := "before"
	var id int
	for _, d := range []any{&text, &s, &b, &null, &nulls, &older} {
		err := pallocsql.On(mc, one(t, "text")).Scan(&id, d)
		var full *palloc.OutOfMemoryError
		if !errors.As(err, &full) {
			t.Errorf("%T: the error is %v", d, err)
		}
	}
	if text.Len() > 0 || s != "before" || b != nil || null.Valid || nulls.Valid || older.Valid {
		t.Error(text, s, b, null.Valid, nulls, older)
	}
}

func TestNumbersAreReadAsBySQL(t *testing.T) {
	type count uint16
	mc := palloctest.New(t)
	for _, d := range []any{new(int), new(int8), new(count), new(uint64), new(float32), new(float64), new(sql.NullInt64), new(sql.RawBytes)} {
		want := reflect.New(reflect.TypeOf(d).Elem()).Interface()
		var id int
		if err := one(t, int64(100)).Scan(&id, want); err != nil {
			t.Fatal(err)
		}
		if err := pallocsql.On(mc, one(t, int64(100))).Scan(&id, d); err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%T is %v, and %v with database/sql: %v", d, d, want, err)
		}
	}
	var at time.Time
	if err := pallocsql.On(mc, one(t, moment)).Scan(new(int), &at); err != nil || !at.Equal(moment) {
		t.Error(at, err)
	}
}

func TestRowsDoNotShareText(t *testing.T) {
	mc := palloctest.New(t, palloctest.AllowChunks())
	data := &table{columns: []string{"n", "a", "b"}, reuse: true}
	for i := range 1000 {
		data.rows = append(data.rows, []driver.Value{int64(i), fmt.Append(nil, "a", i), fmt.Append(nil, "b", i*i)})
	}
	type row struct {
		n    int64
		a, b palloc.Text
	}
	list, err := pallocsql.All(mc, query(t, data), func(r *pallocsql.Rows, to *row) error {
		if to.n != 0 || to.a.Len() != 0 || to.b.Len() != 0 {
			t.Error("the element is not zero")
		}
		return r.Scan(&to.n, &to.a, &to.b)
	})
	if err != nil || len(list) != 1000 || data.closed != 1 {
		t.Fatalf("%d rows, closed %d times: %v", len(list), data.closed, err)
	}
	for i, r := range list {
		if r.n != int64(i) || r.a.String() != fmt.Sprint("a", i) || r.b.String() != fmt.Sprint("b", i*i) {
			t.Fatal(i, r.n, r.a, r.b)
		}
	}
}

// TestErrorsEndAll: an error of the driver, of the function, and of memory. The rows are closed,
// and none returned.
func TestErrorsEndAll(t *testing.T) {
	broken := errors.New("broken")
	rows := make([][]driver.Value, 100)
	for i := range rows {
		rows[i] = []driver.Value{strings.Repeat("x", 10_000)}
	}
	type row struct{ text palloc.Text }
	read := func(r *pallocsql.Rows, to *row) error { return r.Scan(&to.text) }
	for _, c := range []struct {
		name  string
		limit int64
		data  table
		scan  func(r *pallocsql.Rows, to *row) error
		says  func(err error) bool
	}{
		{"the driver", palloc.NoLimit, table{err: broken}, read, func(err error) bool { return err == broken }},
		{"the function", palloc.NoLimit, table{}, func(*pallocsql.Rows, *row) error { return broken }, func(err error) bool { return err == broken }},
		{"the end", palloc.NoLimit, table{atEnd: broken}, read, func(err error) bool { return err == broken }},
		{"text", 200_000, table{}, read, func(err error) bool {
			var full *palloc.OutOfMemoryError
			return errors.As(err, &full) && strings.Contains(err.Error(), `name "line"`)
		}},
		{"the list", 0, table{}, read, func(err error) bool { var full *palloc.OutOfMemoryError; return errors.As(err, &full) }},
	} {
		mc := palloctest.New(t, palloctest.AllowChunks())
		mc.SetLimit(c.limit)
		c.data.columns, c.data.rows = []string{"line"}, rows
		list, err := pallocsql.All(mc, query(t, &c.data), c.scan)
		if list != nil || err == nil || !c.says(err) || c.data.closed != 1 {
			t.Errorf("%s: %d rows, closed %d times: %v", c.name, len(list), c.data.closed, err)
		}
	}
}

// TestAPanicClosesTheRows: also one within a Scan, for which sql.Rows has a lock.
func TestAPanicClosesTheRows(t *testing.T) {
	type row struct{ text palloc.Text }
	data := &table{columns: []string{"line"}, rows: [][]driver.Value{{"text"}}}
	func() {
		defer func() {
			if v := recover(); v != "mistake" || data.closed != 1 {
				t.Errorf("the panic is %v, and the rows closed %d times", v, data.closed)
			}
		}()
		pallocsql.All(palloctest.New(t, palloctest.AllowChunks()), query(t, data), func(*pallocsql.Rows, *row) error { panic("mistake") })
	}()
	mc := palloc.NewAllocSet(palloctest.New(t), "rows")
	rows := query(t, data)
	rows.Next()
	mc.Delete()
	var text palloc.Text
	err := pallocsql.On(mc, rows).Scan(&text)
	var fault *palloc.Fault
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), `name "line"`) {
		t.Error("the error is", err)
	}
	if err := rows.Close(); err != nil || data.closed != 2 { // does not wait
		t.Error(err, data.closed)
	}
}

func TestATypeWithGoPointersIsAFault(t *testing.T) {
	data := &table{columns: []string{"line"}}
	defer func() {
		if f, ok := recover().(*palloc.Fault); !ok || data.closed != 1 {
			t.Error("there is no Fault, or the rows stay open:", f)
		}
	}()
	pallocsql.All(palloctest.New(t), query(t, data), func(r *pallocsql.Rows, to *string) error { return nil })
}

// numbered returns a table of some rows: a number, text as a string and as bytes.
func numbered(n int) *table {
	data := &table{columns: []string{"id", "name", "note"}}
	for i := range n {
		data.rows = append(data.rows, []driver.Value{int64(i), fmt.Sprint("name ", i), fmt.Append(nil, "a longer note of ", i)})
	}
	return data
}

type textRow struct {
	id         int64
	name, note palloc.Text
}

type stringRow struct {
	id         int64
	name, note string
}

// TestARowMakesNoGarbage counts the objects on Go's heap for a query of few and of many rows: the
// difference is what the rows make.
func TestARowMakesNoGarbage(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "rows")
	defer mc.Delete()
	objects := func(rows int) float64 {
		db := open(t, numbered(rows))
		return testing.AllocsPerRun(20, func() {
			result, err := db.Query("")
			if err != nil {
				t.Fatal(err)
			}
			list, err := pallocsql.All(mc, result, func(r *pallocsql.Rows, to *textRow) error { return r.Scan(&to.id, &to.name, &to.note) })
			if err != nil || len(list) != rows {
				t.Fatal(len(list), err)
			}
			mc.Reset()
		})
	}
	const few, many = 10, 1010
	if each := (objects(many) - objects(few)) / (many - few); each > 0.01 {
		t.Errorf("a row makes %v objects on Go's heap", each)
	}
}

func BenchmarkRows(b *testing.B) {
	const n = 1000
	db := open(b, numbered(n))
	b.Run("palloc", func(b *testing.B) {
		b.ReportAllocs()
		mc := palloc.NewBump(palloc.Top(), "rows")
		defer mc.Delete()
		for b.Loop() {
			rows, _ := db.Query("")
			list, err := pallocsql.All(mc, rows, func(r *pallocsql.Rows, to *textRow) error { return r.Scan(&to.id, &to.name, &to.note) })
			if err != nil || len(list) != n {
				b.Fatal(len(list), err)
			}
			mc.Reset()
		}
	})
	b.Run("strings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rows, _ := db.Query("")
			var list []stringRow
			for rows.Next() {
				var r stringRow
				if err := rows.Scan(&r.id, &r.name, &r.note); err != nil {
					b.Fatal(err)
				}
				list = append(list, r)
			}
			if rows.Close(); len(list) != n {
				b.Fatal(len(list))
			}
		}
	})
}
