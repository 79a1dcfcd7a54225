package leak_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gopalloc/palloc/cmd/palloccheck/leak"
)

func TestFindsWhatIsMarkedAndNothingElse(t *testing.T) {
	analysistest.Run(t, "..", leak.Analyzer, "./testdata/leak")
}
