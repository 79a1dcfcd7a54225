// Package relaxed has words with one writer and many readers.
//
// It holds: loads, stores and steps of a word that its owner changes on a hot
// path while other goroutines look on (a statistic, a fill mark).
//
// Invariant: every word has one writer at a time. A reader sees some value that
// was written, never a mixture; it learns nothing about other words from it.
//
// Cost: nothing in an ordinary build, where a store is a plain move: an atomic
// store is a locked exchange on amd64, dearer than a whole allocation. Under
// the race detector all of them are atomics, so that it has nothing to report.
package relaxed

import "sync/atomic"

// Words is how many words Clear sets to zero.
const Words = 16

// Load reads a word that another goroutine may be writing.
func Load(p *uintptr) uintptr { return atomic.LoadUintptr(p) }

// Load32 reads a 32-bit word that another goroutine may be writing.
func Load32(p *uint32) uint32 { return atomic.LoadUint32(p) }

// Load64 reads a 64-bit word that another goroutine may be writing. The word
// must lie on an 8-byte boundary.
func Load64(p *uint64) uint64 { return atomic.LoadUint64(p) }
