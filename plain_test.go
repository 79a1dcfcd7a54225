package palloc_test

import (
	"testing"

	"github.com/gopalloc/palloc"
)

// mustBePlain skips a test of what only contexts do that are not checked: where chunks lie, what they
// take, accesses that the sanitizer would report. All are checked in a build with -asan, and where
// PALLOCDEBUG says so.
func mustBePlain(t *testing.T) {
	t.Helper()
	if palloc.Top().IsChecked() {
		t.Skip("it is about contexts that are not checked, and here all are")
	}
}
