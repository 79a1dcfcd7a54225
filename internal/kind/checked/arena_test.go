package checked

import "testing"

// TestABlockIsLittleLargerThanAskedFor, and its size is that of the blocks for such a size.
func TestABlockIsLittleLargerThanAskedFor(t *testing.T) {
	for size := uintptr(1); size < 1<<30; size += 1 + size/7 {
		n := blockSize(size)
		if n < size || n%pageSize != 0 || n-size >= max(pageSize, size/8+1) || blockSize(n) != n {
			t.Errorf("%d bytes: a block of %d, and of %d for that", size, n, blockSize(n))
		}
	}
}
