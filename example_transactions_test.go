package palloc_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gopalloc/palloc"
)

// Transactions nest, and so do their contexts: that of a subtransaction is a child of the
// one around it. A subtransaction that aborts deletes its context, and the changes noted in
// it. One that commits leaves its context where it is, since only the end of the top
// transaction decides whether the changes are made. That end deletes the context of the top
// transaction, and with it all others.

// A change is made when the top transaction commits. Changes form a list from the latest to
// the first; all lie in the contexts of transactions.
type change struct {
	palloc.NoHeapPointers
	text   string
	before *change
}

// A transaction is one level: its memory, and the changes noted by it and by its
// subtransactions that committed.
type transaction struct {
	mc     palloc.Context // PostgreSQL: CurTransactionContext
	outer  *transaction
	latest *change
}

// begin opens the top transaction, or a subtransaction of outer.
func begin(parent palloc.Context, outer *transaction) *transaction {
	if outer == nil {
		return &transaction{mc: palloc.NewAllocSet(parent, "TopTransactionContext")}
	}
	return &transaction{mc: palloc.NewAllocSet(outer.mc, "CurTransactionContext"), outer: outer, latest: outer.latest}
}

// note adds a change, in the memory of the transaction that makes it.
func (t *transaction) note(format string, args ...any) {
	c := palloc.New[change](t.mc)
	c.text, c.before = palloc.Sprintf(t.mc, format, args...), t.latest
	t.latest = c
}

// commit ends the transaction. A subtransaction passes its changes and its memory to the
// transaction around it: its context lives on below the outer one, unless it is empty. The
// top transaction returns all changes, on Go's heap.
func (t *transaction) commit() (done []string) {
	if t.outer != nil {
		if t.outer.latest = t.latest; t.mc.IsEmpty() {
			t.mc.Delete()
		}
		return nil
	}
	for c := t.latest; c != nil; c = c.before {
		done = append(done, strings.Clone(c.text))
	}
	t.mc.Delete()
	slices.Reverse(done)
	return done
}

// abort deletes the transaction's memory, with that of all its subtransactions, those that
// committed included. The outer transaction is not changed.
func (t *transaction) abort() { t.mc.Delete() }

// A chain of contexts for nested transactions: a subtransaction that aborts deletes its
// context; one that commits keeps it until the top transaction ends.
func Example_transactions() {
	session := palloc.NewAllocSet(palloc.Top(), "session")
	defer session.Delete()

	top := begin(session, nil)
	top.note("create table %q", "users")

	first := begin(session, top)
	first.note("insert %d rows", 3)
	inner := begin(session, first)
	inner.note("update row %d", 2)
	inner.commit()
	first.commit()

	second := begin(session, top)
	second.note("drop table %q", "users")
	nested := begin(session, second)
	nested.note("drop everything")
	nested.commit() // without effect: the transaction around it aborts
	second.abort()

	for mc := range top.mc.All() {
		fmt.Println(mc.Path())
	}
	for _, text := range top.commit() {
		fmt.Println(text)
	}
	fmt.Println("nothing is left:", session.IsEmpty())
	// Output:
	// Top/session/TopTransactionContext
	// Top/session/TopTransactionContext/CurTransactionContext
	// Top/session/TopTransactionContext/CurTransactionContext/CurTransactionContext
	// create table "users"
	// insert 3 rows
	// update row 2
	// nothing is left: true
}
