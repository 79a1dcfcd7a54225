package pallocsql

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gopalloc/palloc"
)

// A scanner, which copies a value into a context.
//
// Invariant: Scan does not panic. sql.Rows holds a lock meanwhile, which a panic would not release:
// Close would wait for good.
//
// Cost: one copy. sql.Rows hands a Scanner what the driver returned, without the copies that it
// makes for a string or a slice of bytes, and without the buffer of an sql.RawBytes.

// A Destination is a type of text or bytes that a value is copied to.
type Destination interface {
	palloc.Text | string | []byte | sql.Null[palloc.Text] | sql.Null[string] | sql.NullString
}

// To returns an sql.Scanner that copies a value into the context and stores the copy in dest: for
// the Scan of sql.Row, and wherever an sql.Scanner is taken. Rows needs none. It converts and
// refuses as Rows.Scan does. It is one object on Go's heap. Owner only, its Scan too.
func To[D Destination](mc palloc.Context, dest *D) sql.Scanner { return &scanner{mc, dest} }

// A scanner copies a value to a destination: a pointer to a type of Destination.
type scanner struct {
	mc   palloc.Context
	dest any
}

var errNull = errors.New("NULL is no text: use an sql.Null[palloc.Text] or an sql.NullString")

// Scan copies a value of a driver.
func (s *scanner) Scan(src any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = asError(v)
		}
	}()
	var number [64]byte
	switch v := src.(type) {
	case nil:
		return s.null()
	case string:
		return store(s, v)
	case []byte:
		return store(s, v)
	case int64:
		return store(s, strconv.AppendInt(number[:0], v, 10))
	case float64:
		return store(s, strconv.AppendFloat(number[:0], v, 'g', -1, 64))
	case bool:
		return store(s, strconv.AppendBool(number[:0], v))
	case time.Time:
		return store(s, v.AppendFormat(number[:0], time.RFC3339Nano))
	}
	return store(s, fmt.Append(number[:0], src))
}

// asError returns the error that a panic's value is, or one about it.
func asError(v any) error {
	if err, ok := v.(error); ok {
		return err
	}
	return fmt.Errorf("panic: %v", v)
}

// null stores NULL.
func (s *scanner) null() error {
	switch d := s.dest.(type) {
	case *[]byte:
		*d = nil
	case *sql.Null[palloc.Text]:
		*d = sql.Null[palloc.Text]{}
	case *sql.Null[string]:
		*d = sql.Null[string]{}
	case *sql.NullString:
		*d = sql.NullString{}
	default:
		return errNull
	}
	return nil
}

// store copies text into the context, and stores the copy. After an error the destination is as it
// was.
func store[S string | []byte](s *scanner, v S) error {
	switch d := s.dest.(type) {
	case *palloc.Text:
		return newText(s.mc, d, v)
	case *sql.Null[palloc.Text]:
		return valid(newText(s.mc, &d.V, v), &d.Valid)
	case *string:
		return newString(s.mc, d, v)
	case *sql.Null[string]:
		return valid(newString(s.mc, &d.V, v), &d.Valid)
	case *sql.NullString:
		return valid(newString(s.mc, &d.String, v), &d.Valid)
	}
	b, err := palloc.TryMakeSlice[byte](s.mc, len(v), len(v))
	if err != nil {
		return err
	}
	copy(b, v)
	*s.dest.(*[]byte) = b
	return nil
}

func newText[S string | []byte](mc palloc.Context, d *palloc.Text, v S) error {
	t, err := palloc.TryNewText(mc, v)
	if err == nil {
		*d = t
	}
	return err
}

func newString[S string | []byte](mc palloc.Context, d *string, v S) error {
	t, err := palloc.TryCloneString(mc, v)
	if err == nil {
		*d = t
	}
	return err
}

// valid notes that a value is not NULL, unless there was an error.
func valid(err error, d *bool) error {
	*d = *d || err == nil
	return err
}
