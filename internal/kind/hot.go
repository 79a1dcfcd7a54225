package kind

// The hot paths are stages that take the next stage as a parameter: Go's inliner
// charges a call of a parameter a third of any other call, so that each stage
// fits its budget, and the whole chain unfolds where a program calls palloc.
// The stages must be top-level functions, named at the call.
type (
	// Slow is where a stage goes when the short way is barred, for whatever
	// reason: it finds out. It answers the address of a chunk, or panics. It is
	// a separate function so that the hot path stays small enough to unfold.
	Slow func(c *Core, size uintptr) uintptr

	// Other is where a free goes on when the chunk at p, with header h, is none of
	// the kind's.
	Next func(p uintptr, h uint64, c *Core)

	// Stage is one kind's way of selling from what is at hand.
	Stage func(c *Core, size uintptr, slow Slow) uintptr

	// First is the way of the kinds without size classes, before that of the others:
	// whoever is not one of them, or has not enough at hand, goes on with the next.
	NoClassStage func(c *Core, classless bool, size uintptr, next Stage, slow Slow) uintptr

	// Sizer finds the class of a size.
	Sizer func(c *Core, size uintptr, pop Popper, take Taker, carve Carver, slow Slow) uintptr

	// Popper looks for a chunk of a class on its freelist.
	Popper func(c *Core, size uintptr, class uint64, take Taker, carve Carver, slow Slow) uintptr

	// Taker takes a chunk off the freelist of a class.
	Taker func(c *Core, class uint64, p uintptr) uintptr

	// Carver cuts a chunk of a class off the current block.
	Carver func(c *Core, size uintptr, class uint64, slow Slow) uintptr
)
