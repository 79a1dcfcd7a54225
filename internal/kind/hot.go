package kind

// The hot paths are stages that take the next stage as a parameter: Go's inliner charges
// a call of a parameter a third of any other call, so that each stage fits its budget,
// and the whole chain is inlined where a program calls palloc. The stages must be
// top-level functions, named at the call. What each looks at is a table in kind.go.
type (
	// Slow is where a stage goes when it cannot allocate, for whatever reason. It
	// returns the address of a chunk, or panics. It is a separate function so that the
	// hot path can be inlined.
	Slow func(c *Core, size uintptr) uintptr

	// Next is where a free goes on when the chunk at p, with header h, is not the
	// kind's.
	Next func(p uintptr, h uint64, c *Core)

	// Stage is a kind's way to allocate from what it has at hand.
	Stage func(c *Core, size uintptr, slow Slow) uintptr

	// NoClassStage is the stage of the kinds without size classes, before that of the
	// others. For another kind, or when it has not enough at hand, it calls next.
	NoClassStage func(c *Core, classless bool, size uintptr, next Stage, slow Slow) uintptr

	// Sizer finds the class of a size.
	Sizer func(c *Core, size uintptr, pop Popper, take Taker, carve Carver, slow Slow) uintptr

	// Popper looks for a chunk on the free list of a class.
	Popper func(c *Core, size uintptr, class uint64, take Taker, carve Carver, slow Slow) uintptr

	// Taker takes a chunk off the free list of a class.
	Taker func(c *Core, class uint64, p uintptr) uintptr

	// AlignedSlow is where a stage for an aligned chunk goes when it has none.
	AlignedSlow func(c *Core, size, align uintptr) uintptr

	// AlignedStage is a kind's way to allocate an aligned chunk from what it has at hand.
	AlignedStage func(c *Core, size, align uintptr, pop AlignedPopper, slow AlignedSlow) uintptr

	// AlignedPopper looks for an aligned chunk on the free list of a class.
	AlignedPopper func(c *Core, size, align uintptr, class uint64, take Taker, slow AlignedSlow) uintptr

	// Carver cuts a chunk of a class off the current block.
	Carver func(c *Core, size uintptr, class uint64, slow Slow) uintptr
)
