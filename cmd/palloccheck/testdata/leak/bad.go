package leak

import (
	"errors"
	"fmt"
	"os"

	"github.com/gopalloc/palloc"
)

type server struct {
	mc   palloc.Context
	name string
}

func neverDeleted() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `the context of NewAllocSet is never deleted`
	mc.Alloc(10)
}

func neverNamed() {
	palloc.NewBump(palloc.Top(), "c") // want `the context of NewBump is never deleted`
}

func onlyInAnExpression() int64 {
	return palloc.NewAllocSet(palloc.Top(), "c").Held() // want `is never deleted`
}

func blank() {
	_ = palloc.NewAllocSet(palloc.Top(), "c") // want `is never deleted`
}

func slab() {
	mc := palloc.NewSlab(palloc.Top(), "c", 64) // want `the context of NewSlab is never deleted`
	*palloc.New[[8]uint64](mc) = [8]uint64{}
}

func generation() {
	mc := palloc.NewGeneration(palloc.Top(), "c") // want `the context of NewGeneration is never deleted`
	b := palloc.NewBuffer(mc)
	fmt.Fprint(b, "text")
}

func earlyReturn(fail bool) error {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `is not deleted on all paths: the return at line \d+ forgets it`
	if fail {
		return errors.New("failed")
	}
	mc.Delete()
	return nil
}

func earlyReturnOfAnError(name string) error {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	palloc.Clone(mc, text)
	mc.Delete()
	return nil
}

func earlyReturnBelowAParameter(parent palloc.Context, name string) error {
	mc := palloc.NewAllocSet(parent, "c") // want `not deleted on all paths`
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	use(mc, text)
	mc.Delete()
	return nil
}

func (s *server) earlyReturnBelowAField(name string) error {
	mc := palloc.NewBump(s.mc, "request") // want `not deleted on all paths`
	if name == "" {
		return errors.New("no name")
	}
	use(mc, []byte(name))
	mc.Delete()
	return nil
}

func deferredTooLate(fail bool) error {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
	if fail {
		return errors.New("failed")
	}
	defer mc.Delete()
	mc.Alloc(10)
	return nil
}

func (s *server) request() int {
	mc := palloc.NewBump(s.mc, "request") // want `never deleted, and lives as long as its parent`
	words := palloc.Append(mc, []int(nil), 1, 2, 3)
	return len(words)
}

func belowAGlobal() {
	mc := palloc.NewAllocSet(global, "work") // want `never deleted`
	mc.Alloc(10)
}

func (s *server) belowAFieldThatChanges(other palloc.Context) {
	s.mc = other
	mc := palloc.NewAllocSet(s.mc, "work") // want `never deleted`
	mc.Alloc(10)
}

func loop(n int) {
	for range n {
		mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
		mc.Alloc(10)
	}
}

func loopWithContinue(all []int) {
	for _, n := range all {
		mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths: the loop may forget it`
		if n == 0 {
			continue
		}
		mc.Alloc(n)
		mc.Delete()
	}
}

func loopForever() {
	for {
		mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
		mc.Alloc(10)
	}
}

func loopWithBreak(all []int) {
	for _, n := range all {
		mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
		if n < 0 {
			break
		}
		mc.Delete()
	}
}

func onlyOneCase(kind int) {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
	switch kind {
	case 0:
		mc.Delete()
	case 1:
		mc.Alloc(1)
	}
}

func use(mc palloc.Context, text []byte) { palloc.Clone(mc, text) }

func onlyUsedByAHelper() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	use(mc, nil)
}

func onlyUsedByAClosure() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	fill := func() { mc.Alloc(10) }
	fill()
}

func onlyUsedByAMethod(s *server) {
	mc := palloc.NewAllocSet(palloc.Emergency(), "c") // want `never deleted`
	s.fill(mc)
}

func (s *server) fill(mc palloc.Context) { palloc.CloneString(mc, s.name) }

func parentOfOthers() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	below := palloc.NewBump(mc, "below")
	below.Alloc(10)
}

func resetIsNotDelete() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	mc.Alloc(10)
	mc.Reset()
}

func deletesOnlyTheChildren() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	palloc.NewBump(mc, "below").Alloc(10)
	mc.DeleteChildren()
}

func inALiteral() func() {
	return func() {
		mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
		mc.Alloc(10)
	}
}

func compared(other palloc.Context) bool {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `never deleted`
	return mc == other
}

func limited() {
	mc := palloc.NewAllocSet(palloc.Top(), "c", palloc.Shared()) // want `never deleted`
	mc.SetLimit(1 << 20)
	mc.OnPressure(func(palloc.Pressure) error { return nil })
}

func returnedOnlyOnSuccess(fail bool) (palloc.Context, error) {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
	if fail {
		return palloc.Context{}, errors.New("failed")
	}
	return mc, nil
}

func storedOnlyOnSuccess(s *server, fail bool) error {
	mc := palloc.NewAllocSet(palloc.Top(), "c") // want `not deleted on all paths`
	if fail {
		return errors.New("failed")
	}
	s.mc = mc
	return nil
}

func silencedWithoutReason() {
	mc := palloc.NewAllocSet(palloc.Top(), "c") /* want `never deleted` */ //palloc:ok
	mc.Alloc(10)
}
