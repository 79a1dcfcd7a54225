package heapstore_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gopalloc/palloc/cmd/palloccheck/heapstore"
)

func TestFindsWhatIsMarkedAndNothingElse(t *testing.T) {
	analysistest.Run(t, "..", heapstore.Analyzer, "./testdata/heapstore")
}
