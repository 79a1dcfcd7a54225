// Package relaxed reads and writes words that have one writer and many readers.
//
// It holds: loads, stores and counters for a word that its owner changes on a hot
// path while other goroutines read it (a statistic, a fill mark).
//
// Invariant: every word has one writer at a time. A reader gets some value that was
// written, never a mixture of two; it learns nothing about other words from it.
//
// Cost: none in an ordinary build, where a store is a plain move. An atomic store is
// a locked exchange on amd64, which costs more than a whole allocation. Under the
// race detector all operations are atomic, so that it reports no race.
//
// The functions that write are for the owner only; Load, Load32 and Load64 are for
// any goroutine.
package relaxed

import "sync/atomic"

// Words is the number of words that Clear sets to zero.
const Words = 16

// Load returns a word that another goroutine may be writing.
func Load(p *uintptr) uintptr { return atomic.LoadUintptr(p) }

// Load32 returns a 32-bit word that another goroutine may be writing.
func Load32(p *uint32) uint32 { return atomic.LoadUint32(p) }

// Load64 returns a 64-bit word that another goroutine may be writing. The word must
// lie on an 8-byte boundary.
func Load64(p *uint64) uint64 { return atomic.LoadUint64(p) }
