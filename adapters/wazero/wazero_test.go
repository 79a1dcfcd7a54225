package wazero_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/gopalloc/palloc"
	onpalloc "github.com/gopalloc/palloc/adapters/wazero"
	"github.com/gopalloc/palloc/palloctest"
)

// (module (memory (export "m") 1 4096) (func (export "g") (param i32) (result i32) local.get 0 memory.grow))
var growing = []byte{
	0, 'a', 's', 'm', 1, 0, 0, 0,
	1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,
	3, 2, 1, 0,
	5, 5, 1, 1, 1, 0x80, 0x20,
	7, 9, 2, 1, 'm', 2, 0, 1, 'g', 0, 0,
	10, 8, 1, 6, 0, 0x20, 0, 0x40, 0, 0x0b,
}

const page = 64 << 10

// start starts a module whose memory is in a context.
func start(t testing.TB, mc palloc.Context) (context.Context, api.Module) {
	t.Helper()
	ctx := experimental.WithMemoryAllocator(t.Context(), onpalloc.New(mc))
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { r.Close(context.Background()) })
	m, err := r.Instantiate(ctx, growing)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, m
}

// grow makes the module's memory a page larger, and returns what memory.grow does.
func grow(t testing.TB, ctx context.Context, m api.Module) int32 {
	t.Helper()
	was, err := m.ExportedFunction("g").Call(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	return int32(was[0])
}

func TestAMemoryGrowsAndKeepsItsContent(t *testing.T) {
	mc := palloctest.New(t)
	ctx, m := start(t, mc)
	const pages = 64
	for i := uint64(1); i < pages; i++ {
		m.Memory().WriteUint64Le(uint32(i-1)*page, i)
		if was := grow(t, ctx, m); was != int32(i) {
			t.Fatalf("a memory of %d pages grows from %d", i, was)
		}
	}
	for i := uint64(1); i < pages; i++ {
		if v, _ := m.Memory().ReadUint64Le(uint32(i-1) * page); v != i {
			t.Errorf("page %d begins with %d", i-1, v)
		}
		if v, _ := m.Memory().ReadUint64Le(uint32(i-1)*page + 8); v != 0 {
			t.Errorf("page %d has %#x, where nothing was written", i-1, v)
		}
	}
	if err := m.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if !mc.IsEmpty() {
		t.Error("a closed module leaves memory")
	}
}

func TestALimitRefusesToGrow(t *testing.T) {
	mc := palloctest.New(t)
	mc.SetLimit(16 * page)
	ctx, m := start(t, mc)
	pages := int32(1)
	for ; pages < 100 && grow(t, ctx, m) >= 0; pages++ {
	}
	if pages < 4 || pages >= 16 {
		t.Errorf("with a limit of 16 pages a memory grows to %d", pages)
	}
	if size := m.Memory().Size(); size != uint32(pages)*page {
		t.Errorf("a refused memory has %d bytes, %d pages before", size, pages)
	}
	m.Close(ctx)
}

func TestWithinItsCapacityAMemoryStays(t *testing.T) {
	m := onpalloc.New(palloctest.New(t)).Allocate(10*page, 10*page)
	first := m.Reallocate(page)
	first[0] = 1
	for n := uint64(1); n <= 10; n++ {
		if b := m.Reallocate(n * page); &b[0] != &first[0] || uint64(len(b)) != n*page || b[0] != 1 {
			t.Errorf("with %d of 10 pages it moves", n)
		}
	}
	m.Free()
	m.Free()
}

func TestAnEmptyMemory(t *testing.T) {
	mc := palloctest.New(t)
	m := onpalloc.New(mc).Allocate(0, page)
	if b := m.Reallocate(0); b == nil || len(b) != 0 {
		t.Errorf("no page is %v", b)
	}
	if b := m.Reallocate(page); len(b) != page {
		t.Errorf("a page has %d bytes", len(b))
	}
	m.Free()
	if !mc.IsEmpty() {
		t.Error("something is left")
	}
}

// All modules of a tenant have their memory below one limit.
func Example() {
	tenant := palloc.NewAllocSet(palloc.Top(), "tenant", palloc.Shared())
	defer tenant.Delete()
	tenant.SetLimit(64 << 20)

	ctx := experimental.WithMemoryAllocator(context.Background(), onpalloc.New(tenant))
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, growing)
	if err != nil {
		fmt.Println(err)
		return
	}
	pages, err := m.ExportedFunction("g").Call(ctx, 3)
	fmt.Println(pages[0], m.Memory().Size()>>16, tenant.Held() >= 4<<16, err)
	// Output: 1 4 true <nil>
}
