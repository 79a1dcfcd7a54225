package chunk_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/chunk"
)

func TestEverySizeFitsItsClassTightly(t *testing.T) {
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

func TestFineTablesAgree(t *testing.T) {
	for n := uintptr(1); n <= chunk.MaxSmall; n++ {
		want := chunk.Class(n)
		if got := chunk.SmallClass(n); got != want {
			t.Fatalf("FineClass(%d) = %d, Class has %d", n, got, want)
		}
		if got := chunk.ConstClass(n); got != want {
			t.Fatalf("ConstClass(%d) = %d, Class has %d", n, got, want)
		}
		if got, want := chunk.SmallTotalSize(n), chunk.Size(want)+chunk.HeaderSize; got != want {
			t.Fatalf("FineWhole(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestFittingIsTheLargestThatFits(t *testing.T) {
	for room := uintptr(8); room < 3*chunk.MaxSize; room++ {
		k := chunk.FloorClass(room)
		if chunk.Size(k) > room {
			t.Fatalf("Fitting(%d) is a class of %d bytes", room, chunk.Size(k))
		}
		if k+1 < chunk.Classes && chunk.Size(k+1) <= room {
			t.Fatalf("Fitting(%d) is a class of %d bytes, one of %d fits", room, chunk.Size(k), chunk.Size(k+1))
		}
	}
}

func TestRenewGoesThroughEverySalt(t *testing.T) {
	first := chunk.Cookie(77, 12345)
	stamp, seen := first, 0
	for {
		stamp = chunk.NextCookie(stamp)
		seen++
		if chunk.Index(stamp) != 77 {
			t.Fatalf("stamp %#x lost its number", stamp)
		}
		if stamp^first < chunk.TagLimit {
			break
		}
	}
	if seen != 1<<22 {
		t.Fatalf("a salt came back after %d renewals, want %d", seen, 1<<22)
	}
}
