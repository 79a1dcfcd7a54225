module github.com/gopalloc/palloc/proptest

go 1.25.0

require (
	github.com/gopalloc/palloc v0.0.0
	pgregory.net/rapid v1.3.0
)

require golang.org/x/sys v0.22.0 // indirect

replace github.com/gopalloc/palloc => ..
