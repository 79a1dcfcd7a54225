package palloc_test

import (
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gopalloc/palloc"
)

// Types that are vouched for: foreign ones, with pointers, that may lie in contexts.

var _ = palloc.AllowPointers[netip.Addr]("the tests keep the zones alive")

type (
	foreign      struct{ p *leaf } // as if of another package
	foreignText  string
	lateForeign  struct{ p *leaf }
	unregistered struct{ p *leaf }
	withForeign  struct {
		n     int
		inner [2]struct{ f foreign }
	}
	mixed struct {
		f foreign
		u unregistered
	}
	foreignMap    struct{ inner struct{ m map[string]int } }
	foreignIface  interface{ M() }
	holdsForeigns struct {
		t foreignText
		a netip.Addr
	}
)

var _ = palloc.AllowPointers[foreign]("the tests keep the leaves alive")

func TestAnAllowedTypeIsAcceptedWhereverItIsNested(t *testing.T) {
	palloc.AllowPointers[foreignText]("the tests use constants")
	mc := newRoot(t)
	for range 2 {
		refusal[foreign](t, mc, "")
		refusal[[3]foreign](t, mc, "")
		refusal[withForeign](t, mc, "")
		refusal[foreignText](t, mc, "")
		refusal[netip.Addr](t, mc, "")
		refusal[holdsForeigns](t, mc, "")
		refusal[pair[foreign, int]](t, mc, "")
	}
}

func TestAllowingATypeAllowsNoOther(t *testing.T) {
	mc := newRoot(t)
	refusal[unregistered](t, mc, "palloc_test.unregistered.p (*palloc_test.leaf)")
	refusal[mixed](t, mc, "palloc_test.mixed.u.p (*palloc_test.leaf)")
	refusal[*foreign](t, mc, "*palloc_test.foreign (*palloc_test.foreign)")
	refusal[[]foreign](t, mc, "[]palloc_test.foreign ([]palloc_test.foreign)")
	wantFault(t, func() { palloc.NewUncleared[foreign](mc) }, "NewUncleared[palloc_test.foreign]", "", "has pointers")
}

func TestATypeMayBeAllowedAfterItWasRefused(t *testing.T) {
	mc := newRoot(t)
	if faultOf(t, func() { palloc.New[lateForeign](mc) }) == nil {
		return // an earlier run of the test, with -count, has allowed it
	}
	palloc.AllowPointers[lateForeign]("this test says so")
	refusal[lateForeign](t, mc, "")
	refusal[[2]lateForeign](t, mc, "")
}

func TestWhatNobodyCanVouchForIsAFault(t *testing.T) {
	for _, bad := range []struct {
		name, words string
		allow       func(reason string) palloc.Allowance
	}{
		{"string", "anybody's", palloc.AllowPointers[string]},
		{"*palloc_test.leaf", "anybody's", palloc.AllowPointers[*leaf]},
		{"[]uint8", "anybody's", palloc.AllowPointers[[]byte]},
		{"struct { p *int }", "anybody's", palloc.AllowPointers[struct{ p *int }]},
		{"error", "anybody's", palloc.AllowPointers[error]},
		{"palloc_test.foreignIface", "anybody's", palloc.AllowPointers[foreignIface]},
		{"palloc_test.foreignMap", "foreignMap.inner.m (map[string]int) lies on Go's heap", palloc.AllowPointers[foreignMap]},
	} {
		wantFault(t, func() { bad.allow("because") }, "AllowPointers["+bad.name+"]", "", bad.words)
	}
	wantFault(t, func() { palloc.AllowPointers[unregistered]("") }, "AllowPointers[palloc_test.unregistered]", "", "no reason")
}

func TestAllowancesSayWhatWasAllowedAndWhy(t *testing.T) {
	want := palloc.Allowance{Type: "palloc_test.foreign", Reason: "the tests keep the leaves alive"}
	all := palloc.Allowances()
	if !slices.Contains(all, want) {
		t.Errorf("%+v is not among %+v", want, all)
	}
	if !slices.IsSortedFunc(all, func(a, b palloc.Allowance) int { return strings.Compare(a.Type, b.Type) }) {
		t.Errorf("they are not sorted: %+v", all)
	}
}

// TestAllowingFromManyGoroutines uses and allows types at the same time: whatever
// was looked at before must be looked at again.
func TestAllowingFromManyGoroutines(t *testing.T) {
	type a struct{ p *leaf }
	type b struct{ x a }
	mc := newRoot(t)
	var users sync.WaitGroup
	for range 4 {
		c := palloc.NewAllocSet(mc, "user")
		users.Go(func() {
			for range 50 {
				faultOf(t, func() { palloc.New[b](c) })
			}
		})
	}
	users.Go(func() { palloc.AllowPointers[a]("this test says so") })
	users.Wait()
	if f := faultOf(t, func() { palloc.New[b](mc) }); f != nil {
		t.Errorf("a verdict from before the allowance stands: %v", f)
	}
}

// TestAllowedMemoryAndTheCollector keeps, in contexts, pointers that the collector
// does not see, while it runs all the time; what they lead to is kept alive here.
func TestAllowedMemoryAndTheCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := 50
	if cramped() {
		rounds = 5
	}
	leaves := make([]*leaf, 300)
	for i := range leaves {
		leaves[i] = &leaf{i, -i}
	}
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	stop := collect()
	defer stop()
	for round := range rounds {
		soil(c, palloc.KindAllocSet)
		c.Reset()
		var all []withForeign
		for i, l := range leaves {
			v := withForeign{n: i}
			v.inner[1].f.p = l
			all = palloc.Append(c, all, v)
			one := palloc.New[foreign](c)
			if one.p != nil {
				t.Fatal("a new value is not zero")
			}
			one.p = l
		}
		addr := palloc.New[netip.Addr](c)
		*addr = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", round))
		garbage = make([]byte, 1<<16)
		for i, v := range all {
			if l := v.inner[1].f.p; v.n != i || v.inner[0].f.p != nil || l != leaves[i] || l.n != i || l.m != -i {
				t.Fatalf("round %d: element %d is %+v", round, i, v)
			}
		}
		if addr.String() != fmt.Sprintf("10.0.0.%d", round) {
			t.Fatalf("round %d: the address is %v", round, addr)
		}
	}
}
