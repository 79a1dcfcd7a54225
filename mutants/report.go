package main

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"text/tabwriter"
)

// report writes how many mutants were killed, by package and by kind, and those that survived.
func report(w io.Writer, drawn []mutant, o *outcomes) {
	for _, by := range []struct {
		name string
		of   func(mutant) string
	}{
		{"package", func(m mutant) string { return path.Dir(m.file) }},
		{"kind", func(m mutant) string { return m.kind }},
	} {
		table(w, by.name, drawn, o, by.of)
	}
	for _, m := range drawn {
		if o.of(m) == survived {
			fmt.Fprintf(w, "\nsurvived: %s", m.describe())
		}
	}
}

// table writes a row for each group, and one for all.
func table(w io.Writer, name string, drawn []mutant, o *outcomes, group func(mutant) string) {
	rows := map[string]map[string]int{}
	for _, m := range drawn {
		for _, row := range []string{group(m), "~ all"} { // sorts last
			if rows[row] == nil {
				rows[row] = map[string]int{}
			}
			rows[row][o.of(m)]++
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n%s\tkilled\tsurvived\tnot compiled\t\n", name)
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		n := rows[row]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", row, n[killed], n[survived], n[notCompiled])
	}
	t.Flush()
}
