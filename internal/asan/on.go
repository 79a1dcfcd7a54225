//go:build asan && cgo

package asan

// #include <stdint.h>
// #include <sanitizer/asan_interface.h>
//
// static void poison(uintptr_t p, uintptr_t n) { __asan_poison_memory_region((void *)p, n); }
// static void unpoison(uintptr_t p, uintptr_t n) { __asan_unpoison_memory_region((void *)p, n); }
import "C"

// Enabled reports whether this is a build with -asan.
const Enabled = true

// Poison makes the sanitizer report each access to n bytes at p.
func Poison(p, n uintptr) { C.poison(C.uintptr_t(p), C.uintptr_t(n)) }

// Unpoison ends that.
func Unpoison(p, n uintptr) { C.unpoison(C.uintptr_t(p), C.uintptr_t(n)) }
