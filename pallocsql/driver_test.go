package pallocsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
)

// A driver whose only table is in the test. It makes no garbage for a row, so that what is counted
// is pallocsql's and database/sql's own.

// A table is what a query returns.
type table struct {
	columns []string
	rows    [][]driver.Value
	err     error // after the rows
	atEnd   error // of the closing
	reuse   bool  // bytes are in a buffer of the driver that the next row overwrites
	closed  int
}

// open returns a database with one table.
func open(t testing.TB, data *table) *sql.DB {
	t.Helper()
	db := sql.OpenDB(data)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// query returns the rows of a table.
func query(t testing.TB, data *table) *sql.Rows {
	t.Helper()
	rows, err := open(t, data).Query("SELECT all")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (d *table) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *table) Driver() driver.Driver                        { return nil }
func (d *table) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("no statements") }
func (d *table) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions") }
func (d *table) Close() error                                 { return nil }

func (d *table) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &cursor{table: d}, nil
}

// A cursor is at a row of a table.
type cursor struct {
	*table
	at     int
	buffer []byte
}

func (c *cursor) Columns() []string { return c.columns }
func (c *cursor) Close() error      { c.closed++; return c.atEnd }

func (c *cursor) Next(dest []driver.Value) error {
	if c.at == len(c.rows) {
		if c.err != nil {
			return c.err
		}
		return io.EOF
	}
	copy(dest, c.rows[c.at])
	if c.at++; c.reuse {
		c.buffer = c.buffer[:0]
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				from := len(c.buffer)
				c.buffer = append(c.buffer, b...)
				dest[i] = c.buffer[from:len(c.buffer):len(c.buffer)]
			}
		}
	}
	return nil
}
