package unused

import (
	"github.com/gopalloc/palloc"
)

func used(mc palloc.Context, s []int) ([]int, error) {
	s = palloc.Append(mc, s, 1)
	s, err := palloc.TryGrow(mc, s, 10)
	_ = palloc.CloneString(mc, "text")
	_, _ = mc.TryAlloc(10)
	defer mc.EnterCritical()()
	return s, err
}

func calledForTheirEffect(mc palloc.Context, b *palloc.Buffer) {
	mc.Alloc(10)
	palloc.New[int](mc)
	palloc.MakeSlice[int](mc, 1, 1)
	mc.Compact()
	palloc.Trim()
	mc.BeforeReset(func() {})
	mc.OnPressure(func(palloc.Pressure) error { return nil })
	mc.AnswerPressure()
	b.WriteString("text")
	palloc.Leaks(mc, 0)
	mc.Reset()
}

// Names alike of this package are its own.

func Append(s []int) []int { return s }

func alike(s []int) {
	Append(s)
}

func silenced(mc palloc.Context) {
	palloc.CloneString(mc, "text") //palloc:ok it fills the context
}
