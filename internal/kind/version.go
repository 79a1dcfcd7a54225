package kind

import "math/rand/v2"

// processVersion makes stamps differ from one process to the next, so that no
// program comes to rely on what a header looks like.
var processVersion = rand.Uint64()
