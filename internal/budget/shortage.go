package budget

import (
	"fmt"
	"strings"

	"github.com/gopalloc/palloc/internal/tree"
)

// Shortage is the error of a block that a limit does not allow.
type Shortage struct {
	Held    int64 // bytes that the account holds
	More    int64 // bytes that were to be acquired
	Bound   int64 // the limit that they would have passed
	Asked   []Reclaim
	account *account
	soft    bool  // the limit is the soft one
	why     error // that no callback was asked or waited for any more, nil: all were asked
}

// Owner returns the context whose limit it is, which may be gone.
func (s *Shortage) Owner() tree.Ref { return s.account.owner }

// Error returns what was to be acquired and what limit it would have passed.
func (s *Shortage) Error() string {
	text := fmt.Sprintf("%s more, blocks rounded up, than the %s that are held would pass the limit of %s",
		Bytes(s.More), Bytes(s.Held), Bytes(s.Bound))
	if s.why != nil {
		text += "; " + FirstLine(s.why)
	}
	return text
}

// Unwrap returns the errors of the callbacks, and why they were not asked any more.
func (s *Shortage) Unwrap() (all []error) {
	if s.why != nil {
		all = append(all, s.why)
	}
	for i := range s.Asked {
		if err := s.Asked[i].Err; err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Bytes returns a number of bytes as text, in larger units as well.
func Bytes(n int64) string {
	text := fmt.Sprintf("%d bytes", n)
	units := [...]string{"KiB", "MiB", "GiB", "TiB"}
	for i := len(units) - 1; i >= 0; i-- {
		if unit := int64(1) << (10 * (i + 1)); n >= unit {
			return fmt.Sprintf("%s (%.4g %s)", text, float64(n)/float64(unit), units[i])
		}
	}
	return text
}

// FirstLine returns the error's text up to the stack of a panic.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
