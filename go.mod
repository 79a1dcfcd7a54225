module github.com/gopalloc/palloc

go 1.25.0

require golang.org/x/sys v0.22.0
