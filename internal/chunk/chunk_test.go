package chunk_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/chunk"
)

func TestClassIsTheSmallestThatFits(t *testing.T) {
	for n := uintptr(0); n <= chunk.MaxSize; n++ {
		k := chunk.Class(n)
		if chunk.Size(k) < n || chunk.Size(k)%chunk.Align != 0 {
			t.Fatalf("size %d has class %d of %d bytes", n, k, chunk.Size(k))
		}
		if chunk.TotalSize(k) != chunk.Size(k)+chunk.HeaderSize {
			t.Fatalf("a chunk of %d bytes takes %d with its header", chunk.Size(k), chunk.TotalSize(k))
		}
		if k > 0 && chunk.Size(k-1) >= n && n > 0 {
			t.Fatalf("size %d has class %d, but class %d of %d bytes would do", n, k, k-1, chunk.Size(k-1))
		}
	}
}

func TestSmallTablesAgreeWithClass(t *testing.T) {
	for n := uintptr(1); n <= chunk.MaxSmall; n++ {
		want := chunk.Class(n)
		if got := chunk.SmallClass(n); got != want {
			t.Fatalf("SmallClass(%d) = %d, Class returns %d", n, got, want)
		}
		if got := chunk.ConstClass(n); got != want {
			t.Fatalf("ConstClass(%d) = %d, Class returns %d", n, got, want)
		}
		if got, want := chunk.SmallTotalSize(n), chunk.Size(want)+chunk.HeaderSize; got != want {
			t.Fatalf("SmallTotalSize(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestFloorClassIsTheLargestThatFits(t *testing.T) {
	for size := uintptr(8); size < 3*chunk.MaxSize; size++ {
		k := chunk.FloorClass(size)
		if chunk.Size(k) > size {
			t.Fatalf("FloorClass(%d) is a class of %d bytes", size, chunk.Size(k))
		}
		if k+1 < chunk.Classes && chunk.Size(k+1) <= size {
			t.Fatalf("FloorClass(%d) is a class of %d bytes, one of %d fits", size, chunk.Size(k), chunk.Size(k+1))
		}
	}
}

func TestNextCookieGoesThroughEveryVersion(t *testing.T) {
	first := chunk.Cookie(77, 12345)
	cookie, seen := first, 0
	for {
		cookie = chunk.NextCookie(cookie)
		seen++
		if chunk.Index(cookie) != 77 {
			t.Fatalf("cookie %#x lost its index", cookie)
		}
		if cookie^first < chunk.TagLimit {
			break
		}
	}
	if seen != 1<<22 {
		t.Fatalf("a version came again after %d steps, want %d", seen, 1<<22)
	}
}
