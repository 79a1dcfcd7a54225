package escape_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gopalloc/palloc/cmd/palloccheck/escape"
)

func TestFindsWhatIsMarkedAndNothingElse(t *testing.T) {
	analysistest.Run(t, "..", escape.Analyzer, "./testdata/escape")
}
