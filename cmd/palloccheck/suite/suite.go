// Package suite lists all analyzers of palloccheck, for a driver of one's own.
//
// Invariant: the analyzers need no facts of other packages, and none depends on another.
package suite

import (
	"golang.org/x/tools/go/analysis"

	"github.com/gopalloc/palloc/cmd/palloccheck/escape"
	"github.com/gopalloc/palloc/cmd/palloccheck/heapstore"
	"github.com/gopalloc/palloc/cmd/palloccheck/leak"
	"github.com/gopalloc/palloc/cmd/palloccheck/owner"
	"github.com/gopalloc/palloc/cmd/palloccheck/stale"
	"github.com/gopalloc/palloc/cmd/palloccheck/unused"
)

// Analyzers are all analyzers, sorted by name.
var Analyzers = []*analysis.Analyzer{
	escape.Analyzer,
	heapstore.Analyzer,
	leak.Analyzer,
	owner.Analyzer,
	stale.Analyzer,
	unused.Analyzer,
}
