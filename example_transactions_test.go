package palloc_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gopalloc/palloc"
)

// Transactions nest, and their contexts with them: each subtransaction's is a child
// of the one around it. When a subtransaction aborts, its context is thrown away,
// and all that was noted in it. When it commits, the context stays where it is, since
// only the top transaction's end decides whether what was noted comes true: that
// deletes the top's context, and all the others with it.

// change is something to be done when the top transaction commits. The list of
// them leads from the latest to the first; all lie in transactions' contexts.
type change struct {
	palloc.NoHeapPointers
	text   string
	before *change
}

// transaction is one level: its memory, and what was noted at it and, by
// subtransactions that committed, below it.
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

// note keeps a change in the memory of the transaction that makes it.
func (t *transaction) note(format string, args ...any) {
	c := palloc.New[change](t.mc)
	c.text, c.before = palloc.Sprintf(t.mc, format, args...), t.latest
	t.latest = c
}

// commit ends the transaction. A subtransaction hands what it noted to the one
// around it, and leaves its memory to that: the context lives on below the outer
// one, unless there is nothing in it. The top answers all changes, on Go's heap.
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

// abort throws the transaction's memory away, with that of all subtransactions below
// it, those that committed included. The outer one never heard of any of it.
func (t *transaction) abort() { t.mc.Delete() }

// A chain of contexts for nested transactions: thrown away when a subtransaction
// aborts, kept until the top commits when it commits.
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
	nested.commit() // in vain: the one around it aborts
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
