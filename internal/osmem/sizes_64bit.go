//go:build amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x

package osmem

const (
	// WideShift is what a table may be larger, as a power of two, where address
	// space costs nothing.
	WideShift = 2

	// goHeapMost is the largest piece asked of Go's heap: make panics where the
	// system refuses, so that what is out of reach is refused before.
	goHeapMost = 1 << 36

	goHeapRegion = 256 << 20
	systemRegion = 1 << 40 // address space only: nothing is behind it until Commit
)
