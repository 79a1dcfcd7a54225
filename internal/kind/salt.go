package kind

import "math/rand/v2"

// processSalt makes stamps differ from one process to the next, so that no
// program comes to rely on what a header looks like.
var processSalt = rand.Uint64()
