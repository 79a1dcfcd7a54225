//go:build amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x

package osmem

const (
	// WideShift is how much larger tables are than with 32 bits, as a power of two: 2
	// where address space costs nothing, else 0.
	WideShift = 2

	// maxGoHeapReserve is the largest reservation in Go's heap, in bytes. Larger ones
	// are refused, because make panics where the system refuses memory.
	maxGoHeapReserve = 1 << 36

	// The sizes of regions, in bytes.
	goHeapRegion = 256 << 20
	systemRegion = 1 << 40 // address space only; no memory until Commit
)
