module github.com/gopalloc/palloc/adapters/pallocjson

go 1.26.0

require (
	github.com/go-json-experiment/json v1.27.2
	github.com/gopalloc/palloc v0.0.0
)

require golang.org/x/sys v0.22.0 // indirect

replace github.com/gopalloc/palloc => ../..
