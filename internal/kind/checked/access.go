package checked

import (
	"fmt"
	"runtime"
)

// What an access to protected memory was about, from the address of the page fault.
//
// Invariant: what is read of a block here is what it keeps on Go's heap, unless it can be accessed.
//
// Cost: a search in the records of one block.

// tellsPages: a page fault tells only in which page the address is.
const tellsPages = runtime.GOARCH == "s390x"

// ExplainAccess returns a finding about an access to protected memory at an address, nil if the
// address is none of a checked context. Any goroutine.
func ExplainAccess(p uintptr) *Finding {
	b, behind := blockAt(p), blockAt(p+pageSize)
	switch {
	case b == nil && behind == nil:
		return nil
	case b == nil:
		b = behind
	}
	f := &Finding{Mistake: AccessAfterEnd, Core: b.core, Epoch: b.epoch, Name: b.name, From: p, Bytes: 1}
	i, ok := b.find(p)
	live := !b.retired.Load()
	switch {
	case live && b.dedicated != 0 && p >= b.base+b.size:
		f = b.finding(Overflow, 0, fmt.Sprintf("%s was accessed beyond its end: %s", b.describe(0), behindText(p, b.at(0)+b.sizeOf(0))))
	case live && p >= b.base+b.size && b.overran() != nil:
		f = b.overran()
	case p-b.base >= b.size && behind != nil && behind.underran() != nil:
		f = behind.underran()
	case ok && len(b.records) > 0:
		f = b.finding(AccessAfterEnd, i, fmt.Sprintf("%s was accessed after it was %s: %s", b.describe(i), b.endedBy(i), offsetText(p, b.at(i))))
	default:
		f.Text = fmt.Sprintf("memory at %#x was accessed in which there is no chunk", p)
	}
	f.From, f.Bytes = p, 1
	if tellsPages {
		f.Bytes = pageSize
	}
	return f
}

// behindText returns where an access was that met a page fault at p, behind a chunk that ends at end.
func behindText(p, end uintptr) string {
	if tellsPages {
		return pageText(p)
	}
	return bytesText(p-end+1) + " behind it"
}

// offsetText returns where an access was that met a page fault at p, from a chunk's beginning.
func offsetText(p, begin uintptr) string {
	if tellsPages {
		return pageText(p) + ", or another chunk there was"
	}
	return fmt.Sprintf("at offset %d", int(p)-int(begin))
}

func pageText(p uintptr) string { return fmt.Sprintf("in the page at %#x", p) }

// overran returns a finding about bytes that were overwritten up to the block's end, nil if none were.
func (b *chunks) overran() *Finding {
	last := len(b.records) - 1
	if b.dedicated != 0 || last < 0 || b.damageBehind(last).to != b.base+b.cut {
		return nil
	}
	at := b.from(last)
	return b.finding(Overflow, at, fmt.Sprintf("%s was written to beyond its end, up to the end of the block at %#x", b.describe(at), b.base+b.size))
}

// underran returns a finding about bytes that were overwritten from the block's beginning on, nil if
// none were.
func (b *chunks) underran() *Finding {
	if b.retired.Load() || len(b.records) == 0 || !b.damaged(0, b.base) {
		return nil
	}
	at := 0
	for b.joins(at) {
		at++
	}
	return b.finding(Underflow, at, fmt.Sprintf("%s was written to before its beginning, down to that of the block at %#x", b.describe(at), b.base))
}
