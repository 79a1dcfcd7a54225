package checked

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
)

// Findings: what a checked context found, as an error.
//
// Invariant: a finding is reported once: a chunk that was found damaged is not looked at
// again, nor is its memory allocated again.
//
// Cost: nothing until something is found.

// A Mistake is a kind of misuse.
type Mistake uint8

// The mistakes.
const (
	Other          Mistake = iota
	Overflow               // bytes behind a chunk were written to
	Underflow              // bytes before a chunk were written to
	WriteAfterFree         // a chunk was written to after it had ended
	AccessAfterEnd         // protected memory was accessed
	DoubleFree             // a chunk was freed that had been freed
	Stale                  // a pointer to a chunk that ended with a reset or a deletion
	Interior               // a pointer that does not lead to the beginning of a chunk
	TwoGoroutines          // two goroutines in a context that is not Shared
	WrongPointer           // a pointer in a context leads to memory that does not live as long
	Gone                   // the context was deleted
)

// A Finding is an error that a checked context found.
type Finding struct {
	Mistake Mistake
	Op      string // what was called when it was found, "" if only the caller knows
	Text    string
	Core    *kind.Core // of the context concerned
	Epoch   uint64     // of that context, 0 if it is the node's present one
	Name    string     // its name, if its memory was taken back

	Chunk       uintptr // where the chunk concerned begins, 0 for none
	Size        uintptr // bytes that were requested for it
	From, Bytes uintptr // of what was written, or is meant: the address, and how many

	Made, Ended, Other Stack // where the chunk was allocated; freed or reset; where another party is
}

// Error returns the finding in one line.
func (f *Finding) Error() string { return f.Text }

// Unwrap returns the finding as a misuse.
func (f *Finding) Unwrap() error { return kind.Misuse(f.Text) }

// describe returns the text about a chunk: "the chunk at 0x... (64 bytes, made at F:L)".
func (b *chunks) describe(i int) string {
	r := &b.records[i]
	return fmt.Sprintf("the chunk at %#x (%d bytes%s)", b.at(i), b.sizeOf(i), madeAt(r.made))
}

func madeAt(s Stack) string {
	op, _ := s.Frames()
	switch place := s.Place(); {
	case place == "":
		return ""
	case op == "":
		return ", made at " + place
	default:
		return fmt.Sprintf(", made by %s at %s", op, place)
	}
}

// endedBy returns how a chunk ended: "freed by FreePointer at F:L".
func (b *chunks) endedBy(i int) string {
	op, _ := b.records[i].ended.Frames()
	verb := [...]string{inUse: "in use", freed: "freed", gone: "taken back with its context", condemned: "damaged", withdrawn: "damaged"}[b.records[i].state]
	switch {
	case strings.HasSuffix(op, "Reset") || strings.HasSuffix(op, "ResetOnly") || strings.HasSuffix(op, "ResetChildren"):
		verb = "reset"
	case strings.Contains(op, "Delete") || op == "Scope":
		verb = "deleted"
	case strings.Contains(op, "Append") || strings.Contains(op, "Grow") || strings.Contains(op, "Realloc") || strings.HasPrefix(op, "Buffer.") && op != "Buffer.Free":
		verb = "moved"
	}
	if op != "" {
		verb += " by " + op
	}
	return verb + at(b.records[i].ended)
}

// finding begins a finding about a chunk.
func (b *chunks) finding(m Mistake, i int, text string) *Finding {
	r := &b.records[i]
	return &Finding{Mistake: m, Text: text, Core: b.core, Epoch: b.epoch, Name: b.name, Chunk: b.at(i), Size: b.sizeOf(i), Made: r.made, Ended: r.ended}
}

// bytesText returns a number of bytes in words.
func bytesText(n uintptr) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// pending are findings of which no caller has been told: those of resets, of deletions, and of
// memory that leaves a quarantine then.
var pending struct {
	sync.Mutex
	some atomic.Bool
	list []*Finding
}

// maxPending is the number of findings that wait to be reported.
const maxPending = 64

// note keeps a finding until a caller asks for it.
func note(err error) {
	f, ok := err.(*Finding)
	if !ok {
		return
	}
	pending.Lock()
	if len(pending.list) < maxPending {
		pending.list = append(pending.list, f)
	}
	pending.some.Store(true)
	pending.Unlock()
}

// HasPending reports whether there are findings of which no caller has been told. Any goroutine.
func HasPending() bool { return pending.some.Load() }

func init() {
	kind.Damaged = func(c *kind.Core, addr uintptr) {
		note(&Finding{Mistake: Overflow, Core: c, From: addr, Text: fmt.Sprintf("the head of a block was written to, as is seen at %#x: "+
			"a chunk before it was written to beyond its end, or one in it before its beginning", addr)})
	}
	kind.Overwritten = func(c *kind.Core, addr uintptr) {
		note(&Finding{Mistake: WriteAfterFree, Core: c, From: addr, Text: fmt.Sprintf("a free list leads to %#x, where no freed chunk is: "+
			"a chunk was written to after it was freed, or the one before it beyond its end", addr)})
	}
}

// Pending returns the findings of which no caller has been told. Any goroutine.
func Pending() (list []*Finding) {
	if !pending.some.Load() {
		return nil
	}
	pending.Lock()
	defer pending.Unlock()
	list, pending.list = pending.list, nil
	pending.some.Store(false)
	return list
}
