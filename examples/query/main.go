// Command query runs a query operator over orders in a CSV file, which it makes from a seed:
//
//	go run ./examples/query -orders 200000
//
// It joins the orders with customers in a hash table, collects the joined rows in partitions, which it spills to
// files when they pass a limit, aggregates each partition by customer and year, and prints the best groups:
// count, sum, median and the note of the latest order.
//
// It has two implementations: -memory palloc keeps rows in contexts, and -memory go on Go's heap, as
// a Go program does without palloc. Both are one file, and print the same.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
)

// The program: its flags, its files and what it prints.
//
// Invariant: what is printed depends on the seed and the numbers of orders and customers only.
//
// Cost: a file of 90 bytes for each order, which is read once.

// A query answers with the best groups of the input, and keeps rows in at most limit bytes, as it counts them.
type query func(in *input, limit int64, disk *spill) (*top, error)

// queries are the implementations by the value of -memory.
var queries = map[string]query{"palloc": queryPalloc, "go": queryGo}

func main() {
	memory := flag.String("memory", "palloc", "where rows and groups are: palloc or go")
	limit := flag.Int64("limit", 64, "MiB of memory, beyond which rows are spilled")
	orders := flag.Int("orders", 2_000_000, "number of orders")
	customers := flag.Int("customers", 100_000, "number of customers")
	seed := flag.Uint64("seed", 1, "seed of the orders and customers")
	csv := flag.String("csv", "", "file of the orders, made if it is not there; without it a temporary one")
	flag.Parse()
	run := queries[*memory]
	if run == nil || !inRange(*limit, *orders, *customers) || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	in := &input{count: *customers, seed: *seed}
	disk, err := execute(os.Stdout, run, in, *orders, *csv, *limit<<20)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, disk.rows, "rows were spilled")
}

// The greatest limit in MiB, and number of customers, whose IDs have 32 bits.
const (
	maxLimit     = 1 << 40
	maxCustomers = 2_000_000_000
)

// inRange reports whether the numbers make sense.
func inRange(limit int64, orders, customers int) bool {
	return 0 < limit && limit <= maxLimit && 0 <= orders && 0 < customers && customers <= maxCustomers
}

// execute opens the orders, which it makes if needed, runs the query, and prints the answer.
func execute(w io.Writer, run query, in *input, orders int, csv string, limit int64) (disk *spill, err error) {
	dir, err := os.MkdirTemp("", "palloc-query-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if csv == "" {
		csv = dir + "/orders.csv"
	}
	if _, err := os.Stat(csv); errors.Is(err, fs.ErrNotExist) {
		if err := in.writeOrders(csv, orders); err != nil {
			return nil, err
		}
	}
	file, err := os.Open(csv)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in.lines = bufio.NewReaderSize(file, 256<<10)
	disk = newSpill(dir)
	defer disk.close()
	best, err := run(in, limit, disk)
	if err != nil {
		return nil, err
	}
	return disk, best.print(w)
}
