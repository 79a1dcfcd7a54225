package pallocsql_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/pallocsql"
)

// The users of a table, in a context with a limit.
func Example() {
	db := sql.OpenDB(&table{ // a driver's database, in a program
		columns: []string{"id", "name", "mail"},
		rows:    [][]driver.Value{{int64(17), "Ada", "ada@example.org"}, {int64(18), "Bob", nil}},
	})
	defer db.Close()

	type user struct {
		ID   int64
		Name palloc.Text
		Mail sql.Null[palloc.Text] // which may be NULL
	}
	err := palloc.Scope(palloc.Top(), "users", func(mc palloc.Context) error {
		mc.SetLimit(1 << 20)
		rows, err := db.Query("SELECT id, name, mail FROM users")
		if err != nil {
			return err
		}
		users, err := pallocsql.All(mc, rows, func(row *pallocsql.Rows, u *user) error {
			return row.Scan(&u.ID, &u.Name, &u.Mail)
		})
		for _, u := range users {
			fmt.Println(u.ID, u.Name, u.Mail.Valid, u.Mail.V)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 17 Ada true ada@example.org
	// 18 Bob false
}

// Rows one by one, each in a context that is reset for the next.
func ExampleOn() {
	db := sql.OpenDB(&table{columns: []string{"line"}, rows: [][]driver.Value{{"the first"}, {[]byte("the second")}}})
	defer db.Close()
	mc := palloc.NewBump(palloc.Top(), "row")
	defer mc.Delete()

	rows, err := db.Query("SELECT line FROM log")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for row := pallocsql.On(mc, rows); row.Next(); mc.Reset() {
		var line palloc.Text
		if err := row.Scan(&line); err != nil {
			log.Fatal(err)
		}
		fmt.Println(line)
	}
	fmt.Println(rows.Err())
	// Output:
	// the first
	// the second
	// <nil>
}

// The value of one row.
func ExampleTo() {
	db := sql.OpenDB(&table{columns: []string{"name"}, rows: [][]driver.Value{{"Ada"}}})
	defer db.Close()
	mc := palloc.NewAllocSet(palloc.Top(), "name")
	defer mc.Delete()

	var name palloc.Text
	if err := db.QueryRow("SELECT name FROM users").Scan(pallocsql.To(mc, &name)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
	// Output: Ada
}
