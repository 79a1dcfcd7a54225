package checked

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc/internal/asan"
)

// What is checked in a context.
//
// Invariant: a context keeps its settings, which those below it inherit, as long as it lives.
//
// Cost: a load and a test for each question.

// A Mode is a set of checks.
type Mode uint32

// The checks.
const (
	RedZones   Mode = 1 << iota // bytes around each chunk are verified
	Poison                      // chunks are filled when they are allocated and freed
	Quarantine                  // freed memory is not allocated again for a while, and is verified
	Guard                       // every chunk has pages of its own, which cannot be accessed after its end
	Owner                       // two goroutines in one context
	Types                       // where pointers lead
	Stacks                      // where chunks were allocated and freed

	// All has every check but Guard.
	All = RedZones | Poison | Quarantine | Owner | Types | Stacks
)

var words = map[string]Mode{
	"checked": All, "redzone": RedZones, "poison": Poison, "quarantine": Quarantine, "guard": All | Guard,
	"owner": Owner, "types": Types, "stacks": Stacks,
}

// Variable is the variable of the environment that switches checks on.
const Variable = "PALLOCDEBUG"

// Settings are what is checked in a context. The zero Settings check nothing.
type Settings struct {
	Mode   Mode
	Sample int64 // how many chunks are allocated for each one that is guarded, 0 for none
}

// Default are the settings of a context of which nothing else is said.
func Default() Settings { return Settings{Mode: All} }

// Parse reads the words of PALLOCDEBUG, or of an option: a list with commas of checks, of checks with a minus
// sign, which are left out, and of sample=N.
func Parse(text string) (s Settings, err error) {
	for i, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		bare, minus := strings.CutPrefix(word, "-")
		n, sampled := strings.CutPrefix(word, "sample=")
		switch m, ok := words[bare]; {
		case word == "":
		case ok && minus:
			if i == 0 {
				s.Mode = All // and without this
			}
			s.Mode &^= m
		case ok:
			s.Mode |= m
		case sampled:
			if s.Sample, err = strconv.ParseInt(n, 10, 64); err != nil || s.Sample < 1 {
				return Settings{}, fmt.Errorf("%s: sample=%s: one chunk in N is guarded, so N must be a number of at least 1", Variable, n)
			}
		default:
			return Settings{}, fmt.Errorf("%s: no check is called %q: there are checked, redzone, poison, quarantine, guard, owner, types, stacks, each also with a minus sign, and sample=N", Variable, word)
		}
	}
	return s, nil
}

// Environment is what PALLOCDEBUG said when the process began, and why it was refused. A build with
// -asan checks everything if the variable says nothing.
var Environment, EnvironmentError = environment()

func environment() (Settings, error) {
	text := os.Getenv(Variable)
	if asan.Enabled && text == "" {
		return Default(), nil
	}
	return Parse(text)
}
