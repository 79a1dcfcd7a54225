package palloc_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The words of the project are the field's own: names and prose use no word that a Go
// engineer would have to learn.

// homemade are patterns of words that are not the field's, each with the words to use.
var homemade = []struct{ pattern, instead string }{
	{`warehouse`, "page heap"},
	{`wholesale|retail`, "the page heap; chunks"},
	{`\b(un)?s(ells?|old|elling|ellers?|ales?|ellable)\b`, "allocate, release"},
	{`\b(buys?|bought|buying|buyers?|purchases?|purchased)\b`, "acquire"},
	{`\bunfold(s|ed|ing)?\b`, "inline"},
	{`\bis apart from\b`, "is separate so that"},
	{`\bshel(f|ves)\b`, "free list"},
	{`\b(bury|buries|buried|burials?|interred)\b`, "evict"},
	{`\bbarren\b`, "without children"},
	{`\b(calm|stirred)\b`, "clean, dirty"},
	{`\blimbo\b`, "detached"},
	{`\bhabits?\b`, "hint"},
	{`\b(resurrect|retake)s?\b`, "undo"},
	{`\bwhoever\b`, "the caller; a goroutine that"},
	{`\bsalts?\b`, "version"},
	{`\bparks?\b|\bparked\b|\bparking\b`, "cache"},
	{`\b(hires?|hired|dismiss(es|ed)?|payers?)\b`, "attach, detach, owner"},
	{`\bgenuine\b`, "valid"},
	{`\bsomebody\b|\bnobody\b`, "another goroutine; no goroutine"},
	{`\b(lest|besides)\b`, "so that not; also"},
}

// exempt are the files and folders in which the words may occur, with the reason.
var exempt = map[string]string{
	"words_test.go":    "it lists the words",
	"README.md":        "its introduction has the picture of wholesale and retail, once",
	"doc.go":           "as README.md",
	"docs/chapter":     "a text of its own",
	"bench/postgres":   "PostgreSQL's words",
	"docs/POSTGRES.md": "PostgreSQL's words",
	"bench/rust":       "Rust's words",
}

func TestWordsAreTheFieldsOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: reads the whole repository")
	}
	var all []*regexp.Regexp
	for _, w := range homemade {
		all = append(all, regexp.MustCompile(`(?i)`+w.pattern))
	}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if exempt[name] != "" || name == ".git" || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		case exempt[name] != "" || !strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".md"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			for w, p := range all {
				if found := p.FindString(line); found != "" {
					t.Errorf("%s:%d: %q is home-made: %s", name, i+1, found, homemade[w].instead)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
