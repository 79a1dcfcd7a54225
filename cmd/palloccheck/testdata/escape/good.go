package escape

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopalloc/palloc"
)

func formatsACopy(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		s := palloc.CloneString(mc, text)
		return fmt.Errorf("bad %s, %q, %v", s, s, s)
	})
}

func concatenatesACopy(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New("bad " + palloc.CloneString(mc, text))
	})
}

func clonesTheText(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return errors.New(strings.Clone(palloc.CloneString(mc, text)))
	})
}

func ownTypeWithACopy(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		return &parseError{strings.Clone(palloc.CloneString(mc, text))}
	})
}

func ownTypeReplaced(top palloc.Context, text string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		e := &parseError{palloc.CloneString(mc, text)}
		e.text = strings.Clone(e.text)
		return e
	})
}

func passesAnErrorOn(top palloc.Context, work func(palloc.Context) error) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		if err := work(mc); err != nil {
			return fmt.Errorf("work: %w", err)
		}
		return nil
	})
}

func numberInTheContext(top palloc.Context, text string) (n int, err error) {
	err = palloc.Scope(top, "s", func(mc palloc.Context) error {
		var err error
		n, err = strconv.Atoi(palloc.CloneString(mc, text))
		return err
	})
	return n, err
}

func copiedToTheResult(top palloc.Context) (answer string, rows []int) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		b := palloc.NewBuffer(mc)
		b.WriteString("text")
		answer = strings.Clone(b.String())
		rows = slices.Clone(palloc.Append(mc, []int(nil), 1, 2))
		return nil
	})
	return answer, rows
}

func copiedAfterwards(top palloc.Context, text string) (answer string) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		answer = palloc.CloneString(mc, text)
		answer = strings.Clone(answer)
		return nil
	})
	return answer
}

func copiedAfterwardsInAField(top palloc.Context, to *result) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		to.name = palloc.CloneString(mc, "text")
		fmt.Println(to.name)
		to.name = ""
		return nil
	})
}

func bytesToAString(top palloc.Context) (answer string) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		answer = string(palloc.MakeSlice[byte](mc, 1, 1))
		return nil
	})
	return answer
}

func bufferClone(top palloc.Context) (answer []byte) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		b := palloc.NewBuffer(mc)
		b.WriteString("text")
		answer = b.Clone()
		return nil
	})
	return answer
}

func valueOfAField(top palloc.Context) (n int, r row) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		best := palloc.New[row](mc)
		n, r = best.n, *best
		return nil
	})
	return n, r
}

func inTheOuterContext(top palloc.Context, text string) (answer string) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		palloc.CloneString(mc, text)
		answer = palloc.CloneString(top, text)
		return nil
	})
	return answer
}

func onlyReadInside(top palloc.Context, lines []string) error {
	var last string
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		for _, line := range lines {
			if line == last {
				return errors.New("twice")
			}
			last = palloc.CloneString(mc, line)
		}
		return nil
	})
}

func variableOfTheFunction(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		var r result
		set := func() { r.name = palloc.CloneString(mc, "text") }
		set()
		fmt.Println(r.name)
		return nil
	})
}

func mapOfTheFunction(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		all := map[string]*row{}
		all[palloc.CloneString(mc, "key")] = palloc.New[row](mc)
		fmt.Println(len(all))
		return nil
	})
}

func rowsInTheContext(top palloc.Context, lines []string) (n int, err error) {
	err = palloc.Scope(top, "s", func(mc palloc.Context) error {
		var rows []row
		for _, line := range lines {
			rows = palloc.Append(mc, rows, row{name: palloc.CloneString(mc, line)})
		}
		n = len(rows)
		return nil
	})
	return n, err
}

func appendedBytes(top palloc.Context, text string) (out []byte) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		out = append(out, palloc.Clone(mc, []byte(text))...)
		return nil
	})
	return out
}

func keyOfAMapCopied(top palloc.Context, all map[string]int) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		key := palloc.CloneString(mc, "key")
		all[strings.Clone(key)] = len(key)
		return nil
	})
}

func movedOut(top palloc.Context) (rows []int, rest palloc.Context) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		rest = palloc.NewBump(mc, "rows")
		below := palloc.NewBump(mc, "rows")
		rows = palloc.Append(below, []int(nil), 1)
		below.SetParent(top)
		return nil
	})
	return rows, rest
}

func copiedAfterDefer(top palloc.Context, text string) (string, error) {
	mc := palloc.NewAllocSet(top, "c")
	defer mc.Delete()
	s := palloc.CloneString(mc, text)
	if s == "" {
		return "", errors.New("empty")
	}
	return strings.Clone(s), nil
}

func returnedBeforeDefer(top palloc.Context, keep bool) (palloc.Context, string) {
	mc := palloc.NewAllocSet(top, "c")
	if keep {
		return mc, palloc.CloneString(mc, "text")
	}
	defer mc.Delete()
	return palloc.Context{}, ""
}

func inTheCallersContext(mc palloc.Context, text string) string {
	work := palloc.NewBump(mc, "work")
	defer work.Delete()
	return palloc.CloneString(mc, palloc.CloneString(work, text))
}

func clearedByADefer(top palloc.Context, r *result) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		defer func() { r.name = "" }()
		r.name = palloc.CloneString(mc, "text")
		return nil
	})
}

func clearedAfterwards(top palloc.Context, r *result) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		r.rows = palloc.MakeSlice[row](mc, 1, 1)
		return nil
	})
	r.rows = nil
}

func deletedOnlyOnFailure(top palloc.Context) (best *row, err error) {
	mc := palloc.NewBump(top, "c")
	defer func() {
		if err != nil {
			mc.Delete()
		}
	}()
	return palloc.New[row](mc), nil
}

func genericCopy[T any](top palloc.Context, values []T) (out []T) {
	_ = palloc.Scope(top, "s", func(mc palloc.Context) error {
		all := palloc.Clone(mc, values)
		out = append(out[:0:0], all...)
		return nil
	})
	return out
}

func sent(top palloc.Context, to chan<- string) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		to <- palloc.CloneString(mc, "the receiver may be done before the Scope")
		return nil
	})
}

func lengthAfterDefer(top palloc.Context) int {
	mc := palloc.NewAllocSet(top, "c")
	defer mc.Delete()
	return len(palloc.MakeSlice[int](mc, 3, 3))
}

func silenced(top palloc.Context) error {
	return palloc.Scope(top, "s", func(mc palloc.Context) error {
		global = palloc.CloneString(mc, "text") //palloc:ok the test reads freed memory
		return nil
	})
}
