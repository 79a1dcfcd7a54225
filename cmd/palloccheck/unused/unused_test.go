package unused_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gopalloc/palloc/cmd/palloccheck/unused"
)

func TestFindsWhatIsMarkedAndNothingElse(t *testing.T) {
	analysistest.Run(t, "..", unused.Analyzer, "./testdata/unused")
}
