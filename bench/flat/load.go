package flat

import (
	"fmt"
	"unsafe"
)

// Loading a flat trace: the file's bytes are the tables.
//
// Invariant: the tables fill the file exactly, and lie on multiples of 8. What
// the ops name is not checked: a replay's own tables have bounds. Cost: the
// file, resident when Load returns.

// Load brings a flat trace into memory, off Go's heap where the system maps
// files. It fails when the file cannot be read, is no flat trace or is cut, and
// on a big-endian machine.
func Load(path string) (*Trace, error) {
	memory, err := resident(path)
	if err != nil {
		return nil, fmt.Errorf("flat: %w", err)
	}
	t := &Trace{memory: memory}
	if err := t.lay(); err != nil {
		discard(memory)
		return nil, fmt.Errorf("flat: %s %w", path, err)
	}
	return t, nil
}

// Close gives the memory of the trace back. Nothing of it may be used after.
func (t *Trace) Close() error {
	err := discard(t.memory)
	*t = Trace{}
	return err
}

// lay finds the tables in the memory.
func (t *Trace) lay() error {
	all := t.memory
	if len(all) < headerSize {
		return fmt.Errorf("has %d bytes, and the header of a flat trace %d; make it anew", len(all), headerSize)
	}
	t.head = (*header)(unsafe.Pointer(unsafe.SliceData(all)))
	if t.head.Magic != magic {
		return fmt.Errorf("begins with %#x and not %#x: it is no flat trace, or this machine is big-endian", t.head.Magic, uint64(magic))
	}
	n, c, s := t.head.Ops, t.head.Contexts, t.head.Text
	most := uint64(len(all))
	if n > most || c > most || s > most || headerSize+c*contextSize+n*opSize+s != most {
		return fmt.Errorf("has %d bytes, and its header names %d contexts, %d ops and %d bytes of strings; make it anew", most, c, n, s)
	}
	t.contexts, all = table[Context](all[headerSize:], c)
	t.ops, all = table[Op](all, n)
	t.text = all
	return nil
}

// table views the next n rows, and answers what lies behind them.
func table[T any](from []byte, n uint64) (rows []T, rest []byte) {
	if n == 0 {
		return nil, from
	}
	size := uintptr(n) * unsafe.Sizeof(*new(T))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(from))), n), from[size:]
}
