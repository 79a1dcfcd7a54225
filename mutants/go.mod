module github.com/gopalloc/palloc/mutants

go 1.26.0
