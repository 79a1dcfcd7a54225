package palloc_test

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// palloc makes no garbage: no common operation allocates on Go's heap once it has run a few
// times.

func TestNothingIsLeftForTheCollector(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	for name, prepare := range thrifty {
		t.Run(name, func(t *testing.T) {
			each(t, kinds, func(t *testing.T, k palloc.Kind) {
				mc := newRoot(t)
				do := prepare(mc, newKind(mc, k, "c", 64), k)
				for range 1000 { // the first runs may acquire blocks
					do()
				}
				if n := testing.AllocsPerRun(1000, do); n != 0 {
					t.Errorf("%v objects on Go's heap each time", n)
				}
			})
		})
	}
}

type linked64 struct {
	palloc.NoHeapPointers
	next *linked64
	rest [64 - unsafe.Sizeof(uintptr(0))]byte
}

// thrifty are operations on a context c of kind k. Each returns a function that may be
// called repeatedly.
var thrifty = map[string]func(mc, c palloc.Context, k palloc.Kind) func(){
	"New": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() { palloc.New[[8]uint64](c)[0] = 1 }
	},
	"New of a linked type": func(_, c palloc.Context, k palloc.Kind) func() {
		var last *linked64
		return func() {
			p := palloc.New[linked64](c)
			p.next, last = last, p
		}
	},
	"New and Free": func(_, c palloc.Context, k palloc.Kind) func() {
		return ended(k, c, func() unsafe.Pointer { return unsafe.Pointer(palloc.New[[8]uint64](c)) })
	},
	"Alloc and Free": func(_, c palloc.Context, k palloc.Kind) func() {
		return ended(k, c, func() unsafe.Pointer { return c.Alloc(64) })
	},
	"AllocZeroed and Free": func(_, c palloc.Context, k palloc.Kind) func() {
		return ended(k, c, func() unsafe.Pointer { return c.AllocZeroed(64) })
	},
	"TryAlloc and Free": func(_, c palloc.Context, k palloc.Kind) func() {
		return ended(k, c, func() unsafe.Pointer { p, _ := c.TryAlloc(64); return p })
	},
	"Realloc": func(_, c palloc.Context, k palloc.Kind) func() {
		return ended(k, c, func() unsafe.Pointer {
			p := c.Alloc(64)
			if k == palloc.KindBump {
				return p
			}
			return palloc.Realloc(p, 64)
		})
	},
	"MakeSlice and FreeSlice": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() {
			if s := palloc.MakeSlice[byte](c, 10, 64); k != palloc.KindBump {
				palloc.FreeSlice(s)
			}
		}
	},
	"Append within capacity": func(_, c palloc.Context, k palloc.Kind) func() {
		s := palloc.MakeSlice[byte](c, 0, 64)
		return func() {
			s = palloc.Append(c, s[:0], 1, 2, 3)
			s = palloc.Append(c, s, s...)
		}
	},
	"CloneString": func(_, c palloc.Context, k palloc.Kind) func() {
		const text = "a string of exactly sixty-four bytes, as the slab here wants it."
		return func() { palloc.CloneString(c, text) }
	},
	"NewText": func(_, c palloc.Context, k palloc.Kind) func() {
		const text = "a string of exactly sixty-four bytes, as the slab here wants it."
		return func() { palloc.NewText(c, text) }
	},
	"TryCloneString and FreeString": func(_, c palloc.Context, k palloc.Kind) func() {
		text := []byte("a string of exactly sixty-four bytes, as the slab here wants it.")
		return func() {
			if s, _ := palloc.TryCloneString(c, text); k != palloc.KindBump {
				palloc.FreeString(s)
			}
		}
	},
	"CloneStrings": func(_, c palloc.Context, k palloc.Kind) func() {
		text := "a string of exactly sixty-four bytes, as the slab here wants it."
		list := slices.Repeat([]string{text}, 64/int(unsafe.Sizeof(text)))
		return func() { palloc.CloneStrings(c, list) }
	},
	"MakeStrings": func(_, c palloc.Context, k palloc.Kind) func() {
		const n = 64 / int(unsafe.Sizeof(""))
		return func() { palloc.MakeStrings(c, n, n)[0] = "constant" }
	},
	"MakePointers": func(_, c palloc.Context, k palloc.Kind) func() {
		const n = 64 / int(unsafe.Sizeof(uintptr(0)))
		return func() { palloc.MakePointers[linked64](c, n, n)[0] = nil }
	},
	"AppendString": func(_, c palloc.Context, k palloc.Kind) func() {
		const text = "a string of exactly sixty-four bytes, as the slab here wants it."
		return func() { palloc.AppendString(c, nil, text) }
	},
	"NewRef": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() { palloc.NewRef[[8]uint64](c).Get()[0] = 1 }
	},
	"TryNewRef": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() { palloc.TryNewRef[[8]uint64](c) }
	},
	"Vec.Append": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() {
			var v palloc.Vec[[16]byte]
			v.Append(c, [16]byte{1}, [16]byte{2})
			v.TryAppend(c, [16]byte{3}, [16]byte{4})
		}
	},
	"Reset": func(_, c palloc.Context, k palloc.Kind) func() {
		return func() {
			for range 20 {
				c.Alloc(64)
			}
			c.Reset()
		}
	},
	"create and Delete": func(mc, c palloc.Context, k palloc.Kind) func() {
		return func() {
			call := newKind(mc, k, "call", 64)
			call.Alloc(64)
			call.Delete()
		}
	},
	"create, Reset and Delete a small tree": func(mc, c palloc.Context, k palloc.Kind) func() {
		return func() {
			call := newKind(mc, k, "call", 64)
			newKind(newKind(call, k, "below", 64), k, "deepest", 64).Alloc(64)
			newKind(call, k, "aside", 64).Alloc(64)
			call.Reset()
			newKind(call, k, "below", 64).Alloc(64)
			call.Delete()
		}
	},
	"SetParent": func(mc, c palloc.Context, k palloc.Kind) func() {
		other := palloc.NewAllocSet(mc, "other")
		return func() {
			c.SetParent(other)
			c.SetParent(mc)
		}
	},
	"the accounts": func(mc, c palloc.Context, k palloc.Kind) func() {
		sum := int64(0)
		return func() {
			sum += c.Stats().Held + mc.TreeHeld() + int64(len(c.Name()))
		}
	},
}

// ended returns a function that calls alloc, and frees its chunk where the kind frees chunks.
func ended(k palloc.Kind, c palloc.Context, alloc func() unsafe.Pointer) func() {
	return func() {
		if p := alloc(); k != palloc.KindBump {
			palloc.FreePointer(p)
		}
	}
}
