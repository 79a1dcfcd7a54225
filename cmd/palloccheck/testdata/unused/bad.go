package unused

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

func moved(mc palloc.Context, s []int, p unsafe.Pointer) {
	palloc.Append(mc, s, 1)           // want `the result of Append is not used: the old memory may be freed, and only the result is valid`
	palloc.Grow(mc, s, 10)            // want `the result of Grow is not used`
	palloc.TryAppend(mc, s, 1)        // want `the result of TryAppend is not used`
	palloc.TryGrow(mc, s, 10)         // want `the result of TryGrow is not used`
	palloc.Realloc(p, 10)             // want `the result of Realloc is not used`
	palloc.ReallocArray(p, 10, 8)     // want `the result of ReallocArray is not used`
	palloc.ReallocZeroed(p, 10, 20)   // want `the result of ReallocZeroed is not used`
	palloc.TryRealloc(p, 10)          // want `the result of TryRealloc is not used`
	palloc.TryReallocArray(p, 1, 8)   // want `the result of TryReallocArray is not used`
	palloc.TryReallocZeroed(p, 8, 16) // want `the result of TryReallocZeroed is not used`
}

func copied(mc palloc.Context, s []int, text string) {
	palloc.Clone(mc, s)              // want `the result of Clone is not used: the copy is lost until its context ends`
	palloc.CloneString(mc, text)     // want `the result of CloneString is not used`
	palloc.Sprintf(mc, "%d", 1)      // want `the result of Sprintf is not used`
	palloc.TryClone(mc, s)           // want `the result of TryClone is not used`
	palloc.TryCloneString(mc, text)  // want `the result of TryCloneString is not used`
	palloc.TrySprintf(mc, "%s", "x") // want `the result of TrySprintf is not used`
	(palloc.CloneString(mc, text))   // want `the result of CloneString is not used`
}

func refused(mc palloc.Context) {
	mc.TryAlloc(10)                    // want `the result of Context.TryAlloc is not used: it may be an error, that memory ran out`
	mc.TryAllocZeroed(10)              // want `the result of Context.TryAllocZeroed is not used`
	palloc.TryNew[int](mc)             // want `the result of TryNew is not used`
	palloc.TryMakeSlice[int](mc, 1, 1) // want `the result of TryMakeSlice is not used`
	palloc.NewBuffer(mc).TryGrow(10)   // want `the result of Buffer.TryGrow is not used`
}

func withoutEffect(mc palloc.Context, b *palloc.Buffer) {
	b.Bytes()               // want `the result of Buffer.Bytes is not used: the call has no other effect`
	b.String()              // want `the result of Buffer.String is not used`
	b.Clone()               // want `the result of Buffer.Clone is not used`
	mc.Check()              // want `the result of Context.Check is not used`
	palloc.NewBuffer(mc)    // want `the result of NewBuffer is not used`
	palloc.TakeSnapshot(mc) // want `the result of TakeSnapshot is not used`
}

func criticalForEver(mc palloc.Context) {
	mc.EnterCritical()       // want `the result of Context.EnterCritical is not used: only the result ends the critical section`
	defer mc.EnterCritical() // want `the result of Context.EnterCritical is not used`
	go mc.Check()            // want `the result of Context.Check is not used`
}
