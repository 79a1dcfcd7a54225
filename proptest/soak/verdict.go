package main

import (
	"fmt"
	"time"
)

// What is judged.
//
// Invariant: the warm-up is the first tenth of the time, at least ten seconds; later samples are compared with
// the highest of it.
//
// Cost: one small file of /proc each second.

// maxRise is the part by which what is resident may exceed the highest sample of the
// warm-up.
const maxRise = 0.01

// A verdict is what a soak found.
type verdict struct {
	long     time.Duration
	seed     uint64
	samples  int
	warm     int64 // the highest sample of the warm-up, in bytes
	most     int64 // the highest sample after it, in bytes
	retained int64 // the most that the page heap retained, which is not in the samples
	done     tally
	wrong    error // a chunk or a count that is not as it should be; nil for none
}

// warmUp returns how long the warm-up takes.
func (v *verdict) warmUp() time.Duration { return max(v.long/10, 10*time.Second) }

// add adds a sample that was taken at a time since the beginning.
func (v *verdict) add(at time.Duration, resident, retained int64) {
	v.retained = max(v.retained, retained)
	v.samples++
	if at <= v.warmUp() {
		v.warm = max(v.warm, resident)
	} else {
		v.most = max(v.most, resident)
	}
}

// rise returns by which part what is resident rose after the warm-up, negative for a fall.
func (v *verdict) rise() float64 {
	if v.warm == 0 {
		return 1
	}
	return float64(v.most-v.warm) / float64(v.warm)
}

func (v *verdict) ok() bool { return v.wrong == nil && v.warm > 0 && v.most > 0 && v.rise() <= maxRise }

// String returns the verdict in one line.
func (v *verdict) String() string {
	word := "ok"
	if !v.ok() {
		word = "FAIL"
	}
	text := fmt.Sprintf("soak: %s: %s, seed %d: resident at most %s in the first %s, %s after it (%+.2f %%, at most %+.0f %%), without the %s that were retained at most; %d samples, %s",
		word, v.long, v.seed, mebibytes(v.warm), v.warmUp(), mebibytes(v.most), 100*v.rise(), 100*maxRise, mebibytes(v.retained), v.samples, &v.done)
	if v.wrong != nil {
		text += ": " + v.wrong.Error()
	}
	return text
}

// mebibytes returns a number of bytes in MiB.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
