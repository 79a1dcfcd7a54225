package arrow_test

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/gopalloc/palloc"
	onpalloc "github.com/gopalloc/palloc/adapters/arrow"
	"github.com/gopalloc/palloc/palloctest"
)

var _ memory.Allocator = (*onpalloc.Allocator)(nil)

// sizes are around Arrow's alignment, palloc's size classes, and blocks of their own.
var sizes = []int{1, 7, 63, 64, 65, 1000, 4096, 8191, 8192, 8193, 100_000, 3 << 20}

func TestBuffersAreAlignedZeroedAndAsLongAsAsked(t *testing.T) {
	a := onpalloc.New(palloctest.New(t))
	for _, size := range sizes {
		for range 3 {
			b := a.Allocate(size)
			if p := uintptr(unsafe.Pointer(unsafe.SliceData(b))); p%onpalloc.Alignment != 0 {
				t.Errorf("%d bytes are at %#x", size, p)
			}
			if len(b) != size || cap(b) != size {
				t.Errorf("%d bytes have a length of %d and a capacity of %d", size, len(b), cap(b))
			}
			if !bytes.Equal(b, make([]byte, size)) {
				t.Errorf("%d bytes are not zero", size)
			}
			for i := range b {
				b[i] = 0xff
			}
			a.Free(b)
		}
	}
	if !a.Context().IsEmpty() {
		t.Error("something is left")
	}
}

func TestReallocateKeepsTheContentAndClearsTheRest(t *testing.T) {
	a := onpalloc.New(palloctest.New(t))
	for _, from := range append([]int{0}, sizes...) {
		for _, to := range append([]int{0}, sizes...) {
			b := a.Allocate(from)
			for i := range b {
				b[i] = byte(i)
			}
			want := make([]byte, to)
			copy(want, b)
			b = a.Reallocate(to, b)
			if !bytes.Equal(b, want) {
				t.Errorf("from %d to %d bytes the content changes", from, to)
			}
			if len(b) != 0 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%onpalloc.Alignment != 0 {
				t.Errorf("from %d to %d bytes the alignment is lost", from, to)
			}
			a.Free(b)
		}
	}
	a.Free(nil)
	if !a.Context().IsEmpty() {
		t.Error("something is left")
	}
}

func TestASecondFreeIsAFault(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "arrow")
	defer mc.Delete()
	a := onpalloc.New(mc)
	b := a.Allocate(100)
	a.Free(b)
	defer func() {
		if _, ok := recover().(*palloc.Fault); !ok {
			t.Error("a second Free is no Fault")
		}
	}()
	a.Free(b)
}

// record builds a record of some columns.
func record(mem memory.Allocator, rows int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		if i%10 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append("row")
		}
		tags := b.Field(2).(*array.ListBuilder)
		tags.Append(true)
		for range i % 3 {
			tags.ValueBuilder().(*array.StringBuilder).Append("tag")
		}
	}
	return b.NewRecordBatch()
}

// TestARecordGoesThroughIPC: what Arrow allocates it also frees, with every byte around it checked.
func TestARecordGoesThroughIPC(t *testing.T) {
	mc := palloc.NewAllocSet(palloctest.New(t), "arrow", palloc.Shared())
	defer mc.Delete()
	checked := memory.NewCheckedAllocator(onpalloc.New(mc))
	defer checked.AssertSize(t, 0)
	r := record(checked, 10_000)
	defer r.Release()
	var file bytes.Buffer
	w := ipc.NewWriter(&file, ipc.WithSchema(r.Schema()), ipc.WithAllocator(checked))
	if err := errors.Join(w.Write(r), w.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := ipc.NewReader(&file, ipc.WithAllocator(checked))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	if !in.Next() || !array.RecordEqual(r, in.RecordBatch()) {
		t.Errorf("the record changes: %v", in.Err())
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

func TestALimitIsAnErrorOfTheScope(t *testing.T) {
	err := palloc.Scope(palloc.Top(), "arrow", func(mc palloc.Context) error {
		mc.SetLimit(1 << 20)
		record(onpalloc.New(mc), 1_000_000).Release()
		return nil
	})
	if oom := (*palloc.OutOfMemoryError)(nil); !errors.As(err, &oom) {
		t.Errorf("a record above the limit: %v", err)
	}
}
