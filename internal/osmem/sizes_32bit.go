//go:build !(amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package osmem

// wasm belongs here: its pointers have 64 bits, but its memory has 32.
const (
	// WideShift says how much larger tables may be than with 32 bits, as a power of
	// two: 2 where address space costs nothing, else 0.
	WideShift = 0

	// maxGoHeapReserve is the largest reservation in Go's heap, in bytes. Where the
	// system refuses memory make panics, so that what is out of reach is refused first.
	maxGoHeapReserve = 1 << 29

	// The sizes of regions, in bytes.
	goHeapRegion = 16 << 20
	systemRegion = 128 << 20 // address space only; no memory until Commit
)
