// Package asan tells AddressSanitizer which memory a program must not access.
//
// Go's compiler makes a load or store of a build with -asan look at the sanitizer's table first. What
// is poisoned there is reported at that instruction, with the line, and the program ends.
//
// Invariant: p+n is a multiple of 8, since the table has one byte for eight: how many of them may be
// accessed, from the first on.
//
// Cost: a call of C, and a byte for eight. Other builds, and those without cgo, have empty
// functions and a constant.
package asan
