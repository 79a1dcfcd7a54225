module github.com/gopalloc/palloc/cmd/palloc

go 1.25.0

require (
	github.com/gopalloc/palloc v0.0.0
	github.com/schollz/progressbar/v3 v3.19.1
	golang.org/x/term v0.45.0
)

require (
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/gopalloc/palloc => ../..
