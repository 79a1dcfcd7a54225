//go:build !race && !palloc_goheap && (linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package osmem

var preferred Source = system{}
