//go:build !linux

package cell

import "errors"

// Resident memory where a process cannot set its high-water mark back.

var errResident = errors.New("cell: resident memory can be measured on Linux only: run this cell there")

func markResident() (int64, error) { return 0, errResident }

func peakResident() (int64, error) { return 0, errResident }
