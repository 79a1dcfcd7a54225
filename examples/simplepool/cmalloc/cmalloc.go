//go:build cgo

// Package cmalloc runs C's malloc and free in loops, which are in C: what a call from Go into C
// costs is paid once a round.
//
// Cost: a C compiler, and cgo. Without them Rounds does nothing.
package cmalloc

// #include <stdlib.h>
//
// static void run(long rounds, int chunks, size_t size) {
//   static void *volatile chunk[1000];
//   for (long r = 0; r < rounds; r++) {
//     for (int i = 0; i < chunks; i++)
//       chunk[i] = malloc(size);
//     for (int i = 0; i < chunks; i++)
//       free(chunk[i]);
//   }
// }
import "C"

// MaxChunks is the most chunks that a round has.
const MaxChunks = 1000

// Rounds allocates chunks of a size by malloc, and frees them one by one, as many rounds as are
// asked for. It reports whether there is a malloc to call.
func Rounds(rounds, chunks, size int) bool {
	C.run(C.long(rounds), C.int(min(chunks, MaxChunks)), C.size_t(size))
	return true
}
