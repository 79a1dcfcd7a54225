package palloc

import (
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Strings in a context: copies, joined and formatted ones; text that is appended to bytes.
//
// Invariant: a string that is not empty has a chunk of its own, of the size that it needs.
// Nothing here lies on Go's heap, except what fmt makes of its arguments.
//
// Cost: CloneString is one call, which takes the chunk as Alloc does and copies once. Sprintf
// costs what fmt does, and one copy from the buffer that fmt keeps; it makes no Go garbage
// beyond that of its arguments. AppendInt and its kin cost what strconv does, and at most one
// copy from the stack; AppendQuote formats twice when the capacity might not suffice.

// CloneString copies a string, or bytes, to a string in the context. The copy is invalid
// once the context is reset or deleted: do not keep it longer, for example as a key of a map
// or in an error. strings.Clone copies it to Go's heap. The empty string takes no memory. It
// panics as MakeSlice does. Owner only.
//
// PostgreSQL: MemoryContextStrdup, pstrdup.
func CloneString[S ~string | ~[]byte](mc Context, s S) string {
	return cloneText(mc, "CloneString", textIn(&s))
}

// TryCloneString works as CloneString does, but returns the *OutOfMemoryError. Owner only.
func TryCloneString[S ~string | ~[]byte](mc Context, s S) (string, error) {
	return tryCloneText(mc, "TryCloneString", textIn(&s))
}

// textIn returns a string, or bytes, as a string, to be read only. A conversion would copy the
// bytes to Go's heap.
func textIn[S ~string | ~[]byte](s *S) string {
	return *(*string)(unsafe.Pointer(s)) // the first two words of either are the address and the length
}

// cloneText copies a string into the context. Nothing of the chunk is cleared: the string covers
// it but for its last bytes, which no slice has.
func cloneText(mc Context, op, s string) string {
	p := atHand(mc, uintptr(len(s)))
	if p == 0 {
		return must(cloneTextSlow(mc, op, s))
	}
	copy((*maxBytes)(osmem.At(p))[:len(s)], s)
	return unsafe.String((*byte)(osmem.At(p)), len(s)) // nothing writes to it after this
}

// tryCloneText works as cloneText does, but returns the *OutOfMemoryError.
func tryCloneText(mc Context, op, s string) (string, error) {
	p := atHand(mc, uintptr(len(s)))
	if p == 0 {
		return cloneTextSlow(mc, op, s)
	}
	copy((*maxBytes)(osmem.At(p))[:len(s)], s)
	return unsafe.String((*byte)(osmem.At(p)), len(s)), nil // nothing writes to it after this
}

// cloneTextSlow is tryCloneText for what is not at hand.
func cloneTextSlow(mc Context, op, s string) (string, error) {
	mc.check(op)
	if s == "" {
		return "", nil // takes no memory
	}
	p, err := mc.alloc(op, uintptr(len(s)))
	if err != nil {
		return "", err
	}
	copy(unsafe.Slice((*byte)(p), len(s)), s) // just allocated, of that size
	return unsafe.String((*byte)(p), len(s)), nil
}

// atHand runs the stages of Alloc. It returns 0 where they would go the slow way, as they do
// for a size of 0 and for a context that was deleted.
func atHand(mc Context, size uintptr) uintptr {
	return checkLive(mc, size, allocByKind, bump.Alloc, allocset.Hot, notLive, notAtHand)
}

// notLive is stale for atHand.
func notLive(Context) uintptr { return 0 }

// notAtHand is slow for atHand.
func notAtHand(*kind.Core, uintptr) uintptr { return 0 }

// Sprintf formats as fmt.Sprintf does, and returns the string in the context. The string is
// invalid once the context is reset or deleted; FreeString frees it before. The empty
// string takes no memory. It panics as CloneString does. The arguments' methods must not
// delete the context. Owner only.
//
// PostgreSQL: psprintf.
func Sprintf(mc Context, format string, args ...any) string {
	return must(sprintf(mc, "Sprintf", format, args))
}

// TrySprintf works as Sprintf does, but returns the *OutOfMemoryError. Owner only.
func TrySprintf(mc Context, format string, args ...any) (string, error) {
	return sprintf(mc, "TrySprintf", format, args)
}

func sprintf(mc Context, op, format string, args []any) (string, error) {
	mc.check(op)
	f := formatters.Get().(*formatter)
	f.mc, f.op = mc, op
	_, err := fmt.Fprintf(f, format, args...)
	s := f.text
	*f = formatter{}
	formatters.Put(f)
	return s, err
}

// A formatter is the io.Writer for fmt, which calls Write once: Write copies the bytes to a
// string in the context.
type formatter struct {
	mc   Context
	op   string
	text string
}

// formatters pools the formatters not in use, as fmt pools its own, since an io.Writer
// escapes.
var formatters = sync.Pool{New: func() any { return new(formatter) }}

func (f *formatter) Write(p []byte) (n int, err error) {
	f.text, err = tryCloneText(f.mc, f.op, textIn(&p))
	return len(p), err
}

// FreeString frees the chunk of a string that CloneString or Sprintf returned. The empty
// string has no chunk, and FreeString does nothing. It panics as FreeSlice does. Owner only.
//
// PostgreSQL: pfree.
func FreeString(s string) {
	if len(s) != 0 {
		freeWith(uintptr(unsafe.Pointer(unsafe.StringData(s))), followHeader, matchAllocSet, allocset.Push, freeOther, freeSlow)
	}
}

// JoinStrings works as strings.Join does: it returns the strings, with sep between them, as
// one string in the context. The empty string takes no memory. It panics as MakeSlice does.
// Owner only.
func JoinStrings(mc Context, list []string, sep string) string {
	return must(joinStrings(mc, "JoinStrings", list, sep))
}

// TryJoinStrings works as JoinStrings does, but returns the *OutOfMemoryError. Owner only.
func TryJoinStrings(mc Context, list []string, sep string) (string, error) {
	return joinStrings(mc, "TryJoinStrings", list, sep)
}

func joinStrings(mc Context, op string, list []string, sep string) (string, error) {
	mc.check(op)
	size := uintptr(0)
	for i, s := range list {
		if size += uintptr(len(s)); i > 0 {
			size += uintptr(len(sep))
		}
		if size > kind.MaxChunk {
			return "", mc.refuse(op, size, kind.TooLarge(size))
		}
	}
	if size == 0 {
		return "", nil
	}
	p, err := mc.alloc(op, size)
	if err != nil {
		return "", err
	}
	b := unsafe.Slice((*byte)(p), size)[:0] // just allocated, of that size
	for i, s := range list {
		if i > 0 {
			b = append(b, sep...)
		}
		b = append(b, s...)
	}
	return unsafe.String((*byte)(p), size), nil // nothing writes to b after this
}

// AppendString is the built-in append of a string, for bytes in a context: it works as
// Append does. Use only the result. It panics as Append does. Owner only.
func AppendString(mc Context, b []byte, s string) []byte {
	return must(appendBytes(mc, "AppendString", b, unsafe.Slice(unsafe.StringData(s), len(s))))
}

// TryAppendString works as AppendString does, but returns the *OutOfMemoryError, and then b
// unchanged. Owner only.
func TryAppendString(mc Context, b []byte, s string) ([]byte, error) {
	return appendBytes(mc, "TryAppendString", b, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// appendBytes appends more to b, which may overlap it, in the context.
func appendBytes(mc Context, op string, b, more []byte) ([]byte, error) {
	if len(more) <= cap(b)-len(b) {
		return append(b, more...), nil
	}
	return grow(mc, op, b, more, 0, 0)
}

// longestInt is the most bytes of an integer: 64 binary digits and a sign.
const longestInt = 65

// AppendInt is strconv.AppendInt for bytes in a context, which grow there as by Append. Use
// only the result. It panics as Append does, and as strconv.AppendInt does when base is not
// from 2 to 36. Owner only.
func AppendInt(mc Context, b []byte, i int64, base int) []byte {
	var text [longestInt]byte
	return must(appendBytes(mc, "AppendInt", b, strconv.AppendInt(text[:0], i, base)))
}

// TryAppendInt works as AppendInt does, but returns the *OutOfMemoryError, and then b
// unchanged. Owner only.
func TryAppendInt(mc Context, b []byte, i int64, base int) ([]byte, error) {
	var text [longestInt]byte
	return appendBytes(mc, "TryAppendInt", b, strconv.AppendInt(text[:0], i, base))
}

// AppendUint is strconv.AppendUint for bytes in a context: see AppendInt. Owner only.
func AppendUint(mc Context, b []byte, i uint64, base int) []byte {
	var text [longestInt]byte
	return must(appendBytes(mc, "AppendUint", b, strconv.AppendUint(text[:0], i, base)))
}

// TryAppendUint works as AppendUint does, but returns the *OutOfMemoryError, and then b
// unchanged. Owner only.
func TryAppendUint(mc Context, b []byte, i uint64, base int) ([]byte, error) {
	var text [longestInt]byte
	return appendBytes(mc, "TryAppendUint", b, strconv.AppendUint(text[:0], i, base))
}

// longestFloat is more than the bytes of a float without those of the precision: 309 digits
// before the point, or 324 behind it and 17 of the shortest form, with a sign and an exponent.
const longestFloat = 352

// AppendFloat is strconv.AppendFloat for bytes in a context, which grow there as by Append.
// Use only the result. It panics as Append does, and as strconv.AppendFloat does when
// bitSize is not 32 or 64. Owner only.
func AppendFloat(mc Context, b []byte, f float64, format byte, precision, bitSize int) []byte {
	return must(appendFloat(mc, "AppendFloat", b, f, format, precision, bitSize))
}

// TryAppendFloat works as AppendFloat does, but returns the *OutOfMemoryError, and then b
// unchanged. Owner only.
func TryAppendFloat(mc Context, b []byte, f float64, format byte, precision, bitSize int) ([]byte, error) {
	return appendFloat(mc, "TryAppendFloat", b, f, format, precision, bitSize)
}

func appendFloat(mc Context, op string, b []byte, f float64, format byte, precision, bitSize int) ([]byte, error) {
	const usual = 32 // digits of a precision that most programs do not exceed
	if precision <= usual {
		var text [longestFloat + usual]byte
		return appendBytes(mc, op, b, strconv.AppendFloat(text[:0], f, format, precision, bitSize))
	}
	if precision > int(kind.MaxChunk)-longestFloat {
		return b, mc.refuse(op, kind.MaxChunk, kind.TooLarge(kind.MaxChunk))
	}
	roomy, err := growBy(mc, op, b, longestFloat+precision)
	if err != nil {
		return b, err
	}
	return strconv.AppendFloat(roomy, f, format, precision, bitSize), nil
}

// AppendQuote is strconv.AppendQuote for bytes in a context, which grow there as by Append.
// Use only the result. It panics as Append does. Owner only.
func AppendQuote(mc Context, b []byte, s string) []byte {
	return must(appendQuote(mc, "AppendQuote", b, s))
}

// TryAppendQuote works as AppendQuote does, but returns the *OutOfMemoryError, and then b
// unchanged. Owner only.
func TryAppendQuote(mc Context, b []byte, s string) ([]byte, error) {
	return appendQuote(mc, "TryAppendQuote", b, s)
}

func appendQuote(mc Context, op string, b []byte, s string) ([]byte, error) {
	if uint64(cap(b)-len(b)) < 2+longestEscape*uint64(len(s)) {
		roomy, err := growBy(mc, op, b, quotedLen(s))
		if err != nil {
			return b, err
		}
		b = roomy
	}
	return strconv.AppendQuote(b, s), nil
}

// longestEscape is the most bytes of a quoted string for each byte of the string: \x00.
const longestEscape = 4

// quotedLen returns the length of a quoted string. It quotes pieces that fit on the stack,
// and that end where no rune goes on.
func quotedLen(s string) int {
	const piece = 64
	var text [2 + piece*longestEscape]byte
	n := 2
	for len(s) > 0 {
		end := min(piece, len(s))
		for back := 0; back < utf8.UTFMax && end < len(s); back++ {
			if utf8.RuneStart(s[end-back]) {
				end -= back
				break
			}
		}
		n += len(strconv.AppendQuote(text[:0], s[:end])) - 2
		s = s[end:]
	}
	return n
}
