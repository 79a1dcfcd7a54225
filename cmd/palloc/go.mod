module github.com/gopalloc/palloc/cmd/palloc

go 1.26

require github.com/gopalloc/palloc v0.0.0

replace github.com/gopalloc/palloc => ../..
