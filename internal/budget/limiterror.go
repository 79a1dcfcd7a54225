package budget

import (
	"fmt"
	"strings"

	"github.com/gopalloc/palloc/internal/tree"
)

// The error of a limit, and how errors show numbers of bytes.
//
// Invariant: the figures are those of the moment of the refusal.
//
// Cost: a Go object for each refusal.

// LimitError is the error of a block that a limit refuses.
type LimitError struct {
	Held     int64 // bytes that the account holds
	More     int64 // bytes that were to be acquired
	Limit    int64 // that they would exceed
	Reclaims []Reclaim
	account  *account
	soft     bool  // the limit is the soft one
	cause    error // why no further callback was run or waited for; nil: all were run
}

// Owner returns the context whose limit it is. It may be gone.
func (s *LimitError) Owner() tree.Ref { return s.account.owner }

// Error returns how much was to be acquired, and which limit that would exceed.
func (s *LimitError) Error() string {
	text := fmt.Sprintf("%s are held of at most %s, and %s more, blocks rounded up, do not fit",
		Bytes(s.Held), Bytes(s.Limit), Bytes(s.More))
	if s.cause != nil {
		text += "; " + FirstLine(s.cause)
	}
	return text
}

// Unwrap returns the cause and the errors of the callbacks.
func (s *LimitError) Unwrap() (all []error) {
	if s.cause != nil {
		all = append(all, s.cause)
	}
	for i := range s.Reclaims {
		if err := s.Reclaims[i].Err; err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Bytes returns a number of bytes as text, from 1 KiB on in a larger unit as well.
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

// FirstLine returns the error's text without the stack of a panic.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
