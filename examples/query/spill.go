package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Partitions on disk: a file for each that was spilled.
//
// Invariant: between begin and end rows are written to one partition. Rows are read in the order in which they were
// written. After an error nothing is written: a partition may be on disk in part.
//
// Cost: one buffer for all files that are written, and one for the file that is read; 28 bytes and the note for each row.

// partitions is the number of parts of the rows. All rows of a customer are in one.
const partitions = 64

func (r row) partition() int { return int(r.customer*0x9E3779B1>>16) % partitions }

// A spill has the rows that are on disk.
type spill struct {
	dir   string
	files [partitions]*os.File
	out   *bufio.Writer
	buf   []byte
	rows  int
	err   error // of a file: nothing more is written
}

const rowBytes = 28 // on disk, without the note

func newSpill(dir string) *spill {
	return &spill{dir: dir, out: bufio.NewWriterSize(nil, 64<<10), buf: make([]byte, rowBytes)}
}

// begin makes write add to a partition.
func (s *spill) begin(p int) error {
	if s.files[p] == nil && s.err == nil {
		s.files[p], s.err = os.Create(filepath.Join(s.dir, strconv.Itoa(p)))
	}
	s.out.Reset(s.files[p])
	return s.err
}

// write adds a row to the partition. An error is end's to return.
func (s *spill) write(r row, note string) {
	b := binary.LittleEndian.AppendUint64(s.buf[:0], uint64(r.order))
	b = binary.LittleEndian.AppendUint32(b, r.customer)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.day))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.cents))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(note)))
	s.out.Write(b)
	s.out.WriteString(note)
	s.rows++
}

// end ends what begin began.
func (s *spill) end() error {
	s.err = s.out.Flush()
	return s.err
}

// read calls f with all rows of a partition, and their notes, each valid until f returns. f may write
// rows of other partitions.
func (s *spill) read(p int, f func(r row, note []byte)) error {
	if s.files[p] == nil {
		return nil
	}
	if _, err := s.files[p].Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.files[p], 64<<10)
	buf := make([]byte, rowBytes) // not s.buf: f may spill other partitions
	for {
		b := buf[:rowBytes]
		if _, err := io.ReadFull(in, b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r := row{int64(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint32(b[8:]),
			int32(binary.LittleEndian.Uint32(b[12:])), int64(binary.LittleEndian.Uint64(b[16:]))}
		n := int(binary.LittleEndian.Uint32(b[24:]))
		buf = slices.Grow(b[:0], n)[:max(n, rowBytes)]
		if _, err := io.ReadFull(in, buf[:n]); err != nil {
			return err
		}
		f(r, buf[:n])
	}
}

// close closes the files, which the program removes with their folder.
func (s *spill) close() {
	for _, f := range s.files {
		if f != nil {
			f.Close()
		}
	}
}
