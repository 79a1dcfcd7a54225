// Package process tells what the process uses: processor time, and resident memory.
// The measurements of `palloc replay` and of the bench read these figures.
package process
