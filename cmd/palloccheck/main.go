// Palloccheck reports simple mistakes with github.com/gopalloc/palloc. It is a tool for go
// vet:
//
//	go install ./cmd/palloccheck # in the root of a clone
//	go vet -vettool=$(which palloccheck) ./...
//
// Invariant: it reads a package and what the compiler exported of its imports; it runs nothing.
// Cost: that of building the SSA form of each package, once for all analyzers.
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/gopalloc/palloc/cmd/palloccheck/suite"
)

func main() { unitchecker.Main(suite.Analyzers...) }
