package owner_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gopalloc/palloc/cmd/palloccheck/owner"
)

func TestFindsWhatIsMarkedAndNothingElse(t *testing.T) {
	analysistest.Run(t, "..", owner.Analyzer, "./testdata/owner")
}
