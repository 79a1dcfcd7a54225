package kind

import "math/rand/v2"

// processVersion makes cookies differ from one process to the next, so that no program
// comes to depend on a header.
var processVersion = rand.Uint64()
