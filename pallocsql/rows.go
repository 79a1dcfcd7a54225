// Package pallocsql reads the rows of database/sql into a context.
//
//	rows, err := db.QueryContext(ctx, "SELECT id, name FROM users")
//	...
//	users, err := pallocsql.All(mc, rows, func(row *pallocsql.Rows, u *user) error {
//		return row.Scan(&u.ID, &u.Name) // u.Name is a palloc.Text
//	})
//
// On, which All uses, is for rows that are read one by one, and To for a single destination:
//
//	row := db.QueryRowContext(ctx, "SELECT name FROM users WHERE id = ?", id)
//	err := row.Scan(pallocsql.To(mc, &name))
//
// Ownership: text and bytes are copied into the context, and are valid until its reset or deletion.
// What a query needs as an argument is text.String().
//
// Limits: what the driver and database/sql hold is on Go's heap, and is not counted. A limit of the
// context bounds the copies; a refusal is an error that wraps the *palloc.OutOfMemoryError. Errors
// name the column.
//
// Cost: one copy of each text, from the driver's memory. Neither a row nor a text makes an object
// on Go's heap, beyond what the driver and database/sql make: the latter one for a number whose Go
// type is not the driver's. A query of 1000 rows with two texts each makes 9 objects in all, and
// 2017 with Go strings, as this prints:
//
//	go test -run '^$' -bench Rows ./pallocsql
package pallocsql

import (
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"github.com/gopalloc/palloc"
)

// Rows, whose Scan has destinations in a context.
//
// Invariant: nothing that Scan stores refers to Go's heap, but for an sql.RawBytes, a time.Time,
// and what an sql.Scanner of the caller stores.
//
// Cost: a Rows has a scanner for each text, which it uses again for the next row.

// Rows are the rows of a query, which Scan reads into a context. Next, Err, Close and the other
// methods are those of sql.Rows. Owner only, all functions.
type Rows struct {
	*sql.Rows
	mc       palloc.Context
	dests    []any
	scanners []scanner
}

// On returns rows whose Scan copies into the context. Owner only.
func On(mc palloc.Context, rows *sql.Rows) *Rows { return &Rows{Rows: rows, mc: mc} }

// Scan reads the row as sql.Rows.Scan does, with these differences.
//
// A palloc.Text, a string, a slice of bytes, and types of these, get a copy in the context. So do
// the values of an sql.Null[palloc.Text], an sql.Null[string] and an sql.NullString. Numbers,
// booleans and times become text as with sql.Rows. NULL is an error for a palloc.Text and a string,
// and makes a slice of bytes nil.
//
// Numbers, booleans, a time.Time, an sql.RawBytes and every other sql.Scanner are sql.Rows' own.
// Other destinations are refused: sql.Rows would make them refer to Go's heap.
//
// Errors are those of sql.Rows, which name the column. They wrap an *palloc.OutOfMemoryError, and
// also a *palloc.Fault about the context: a panic would leave the sql.Rows locked.
func (r *Rows) Scan(dest ...any) error {
	r.dests = append(r.dests[:0], dest...)
	if cap(r.scanners) < len(dest) {
		r.scanners = make([]scanner, len(dest))
	}
	r.scanners = r.scanners[:len(dest)]
	for i, d := range dest {
		to, copies := destination(d)
		switch {
		case copies:
			r.scanners[i] = scanner{r.mc, to}
			r.dests[i] = &r.scanners[i]
		case to == nil:
			return fmt.Errorf("pallocsql: Scan of column index %d, name %q: a destination of type %T would refer to Go's heap: "+
				"use a palloc.Text, or an sql.Null[palloc.Text] where there may be NULL", i, r.column(i), d)
		}
	}
	return r.Rows.Scan(r.dests...)
}

// column returns the name of a column for an error.
func (r *Rows) column(i int) string {
	if names, err := r.Columns(); err == nil && i < len(names) {
		return names[i]
	}
	return "?"
}

// destination returns a destination as a scanner has it if it copies into the context, and
// otherwise the destination, or nil when it is refused.
func destination(d any) (to any, copies bool) {
	switch d.(type) {
	case *palloc.Text, *string, *[]byte, *sql.Null[palloc.Text], *sql.Null[string], *sql.NullString:
		return d, true
	case *int, *int64, *int32, *uint64, *uint32, *float64, *bool, *time.Time, *sql.RawBytes, sql.Scanner:
		return d, false
	}
	p := reflect.ValueOf(d)
	if p.Kind() != reflect.Pointer {
		return d, false // sql.Rows has an error for it
	}
	switch t := p.Type().Elem(); {
	case t.Kind() == reflect.String:
		return p.Convert(reflect.TypeFor[*string]()).Interface(), true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		if p.CanConvert(reflect.TypeFor[*[]byte]()) {
			return p.Convert(reflect.TypeFor[*[]byte]()).Interface(), true
		}
	case t.Kind() <= reflect.Complex128: // booleans and numbers
		return d, false
	}
	return nil, false
}

// All reads all rows into a slice in the context, and closes them. scan is called for each row,
// with the element that it fills by row.Scan, which is zero before; it may compute others.
//
// T is a type that palloc.New accepts. The slice grows as by palloc.Append: in a Bump its former
// chunks stay. After an error it is nil, and what was read stays until the context ends. All panics
// with a *palloc.Fault when the context was deleted, or does not accept T. Owner only.
func All[T any](mc palloc.Context, rows *sql.Rows, scan func(row *Rows, to *T) error) (list []T, err error) {
	defer func() {
		if late := rows.Close(); err == nil {
			err = late
		}
		if err != nil {
			list = nil
		}
	}()
	palloc.MakeSlice[T](mc, 0, 0) // checks the type
	row := On(mc, rows)
	for row.Next() {
		var zero T
		if list, err = palloc.TryAppend(mc, list, zero); err != nil {
			return list, err
		}
		if err := scan(row, &list[len(list)-1]); err != nil {
			return list, err
		}
	}
	return list, row.Err()
}
