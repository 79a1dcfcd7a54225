package typerule_test

import (
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc/internal/typerule"
)

// The rule: which types are accepted, and what is said about those that are not.

type mark struct{}

func newRule() *typerule.Rule { return &typerule.Rule{Marker: reflect.TypeFor[mark]()} }

type (
	leaf   struct{ n, m int }
	holder struct{ p *leaf }
	deep   struct {
		a struct{ b [3]struct{ c, d any } }
	}
	named   struct{ id, name string }
	under   struct{ _ *int }
	blank   struct{ _ chan int }
	lists   struct{ rows [2][]leaf }
	text    string
	iface   interface{ M() }
	notLast struct {
		inner mark // not embedded
		p     *leaf
	}
	byPointer struct{ *mark }
	around    struct {
		inner node
		p     *leaf
	}
	event struct {
		when time.Time
		n    int
	}
	pair[K, V any] struct {
		key   K
		value V
	}
)

type (
	node struct {
		mark
		left, right *node
	}
	all struct {
		mark
		s    string
		b    []byte
		f    func()
		i    any
		u    unsafe.Pointer
		deep struct{ p [2]*leaf }
	}
	twice   struct{ pair [2]struct{ node node } }
	withMap struct {
		mark
		m map[string]int
	}
	withChan struct {
		mark
		a [2]struct{ c chan int }
	}
	withPointers struct {
		mark
		m *map[string]int
		c []chan int
	}
	list[T any] struct {
		mark
		value T
		next  *list[T]
	}
)

const (
	unseen = " a Go pointer, which the collector does not see in a context: keep it on Go's heap, or, " +
		"if it only ever leads into contexts that live at least as long (CloneString and Clone copy into one), write "
	is, holds = " is" + unseen, " holds" + unseen
	onHeap    = " lies on Go's heap, and the collector does not see a reference in a context: " +
		"keep it there, in a variable of type []"
)

// refuses wants the text about T, twice: the second time the verdict is known.
func refuses[T any](t *testing.T, r *typerule.Rule, want string) {
	t.Helper()
	of := typerule.Of[T]()
	for range 2 {
		if got := r.Refusal(of); got != want {
			t.Errorf("%v:\n\t%s\nnot\n\t%s", of.Reflect(), got, want)
		}
		if r.Accepts(of) != (want == "") {
			t.Errorf("%v: Accepts and Refusal do not agree", of.Reflect())
		}
	}
}

// marked returns the text that a refusal proposes for a struct type.
func marked(name string) string {
	return "`type " + name + " struct { typerule_test.mark; ... }`, or, if that type is not yours, " + allowed("typerule_test."+name)
}

func allowed(name string) string {
	return "`var _ = palloc.AllowPointers[" + name + "](\"why that holds\")`"
}

func listed(make, typ string) string {
	return "`palloc.Make" + make + "(mc, len, cap)` for a list, or " + boxed(typ)
}

func boxed(typ string) string { return "`struct { typerule_test.mark; v " + typ + " }` around it" }

func TestAPointerIsRefusedWithItsPathAndTheLineToWrite(t *testing.T) {
	r := newRule()
	refuses[holder](t, r, "typerule_test.holder.p (*typerule_test.leaf)"+is+marked("holder"))
	refuses[deep](t, r, "typerule_test.deep.a.b[0].c (interface {})"+holds+marked("deep"))
	refuses[named](t, r, "typerule_test.named.id (string)"+holds+marked("named"))
	refuses[under](t, r, "typerule_test.under._ (*int)"+is+marked("under"))
	refuses[lists](t, r, "typerule_test.lists.rows[0] ([]typerule_test.leaf)"+holds+marked("lists"))
	refuses[[4]holder](t, r, "[4]typerule_test.holder[0].p (*typerule_test.leaf)"+is+marked("holder"))
	refuses[pair[int, string]](t, r, "typerule_test.pair[int,string].value (string)"+holds+marked("pair[...]"))
	refuses[pair[holder, int]](t, r, "typerule_test.pair[github.com/gopalloc/palloc/internal/typerule_test.holder,int].key.p (*typerule_test.leaf)"+is+marked("holder"))
	refuses[struct{ p *int }](t, r, "struct { p *int }.p (*int)"+is+"`struct { typerule_test.mark; ... }`")
	refuses[event](t, r, "typerule_test.event.when.loc (*time.Location)"+is+
		"`type Time struct { typerule_test.mark; ... }`, or, if that type is not yours, "+allowed("time.Time"))
}

func TestAPointerInNoStructIsRefusedWithAStructAroundIt(t *testing.T) {
	r := newRule()
	refuses[*leaf](t, r, "*typerule_test.leaf"+is+listed("Pointers[typerule_test.leaf]", "*typerule_test.leaf"))
	refuses[string](t, r, "string"+holds+listed("Strings", "string"))
	refuses[[]byte](t, r, "[]uint8"+holds+boxed("[]uint8"))
	refuses[func()](t, r, "func()"+holds+boxed("func()"))
	refuses[unsafe.Pointer](t, r, "unsafe.Pointer"+is+boxed("unsafe.Pointer"))
	refuses[error](t, r, "error"+holds+boxed("error"))
	refuses[iface](t, r, "typerule_test.iface"+holds+boxed("typerule_test.iface"))
	refuses[[2]string](t, r, "[2]string[0] (string)"+holds+listed("Strings", "string"))
	refuses[text](t, r, "typerule_test.text"+holds+boxed("typerule_test.text")+", or "+allowed("typerule_test.text"))
}

func TestMapsAndChannelsAreRefusedWithAnIndexInstead(t *testing.T) {
	r := newRule()
	refuses[map[string]int](t, r, "map[string]int"+onHeap+"map[string]int for one, and its index here")
	refuses[chan int](t, r, "chan int"+onHeap+"chan int for one, and its index here")
	refuses[blank](t, r, "typerule_test.blank._ (chan int)"+onHeap+"chan int for one, and its index here")
	refuses[withMap](t, r, "typerule_test.withMap.m (map[string]int)"+onHeap+"map[string]int for one, and its index here: `m int`")
	refuses[withChan](t, r, "typerule_test.withChan.a[0].c (chan int)"+onHeap+"chan int for one, and its index here: `c int`")
	refuses[list[map[int]int]](t, r, "typerule_test.list[map[int]int].value (map[int]int)"+onHeap+"map[int]int for one, and its index here: `value int`")
}

func TestTheMarkerCountsOnlyWhereItIsEmbedded(t *testing.T) {
	r := newRule()
	refuses[notLast](t, r, "typerule_test.notLast.p (*typerule_test.leaf)"+is+marked("notLast"))
	refuses[byPointer](t, r, "typerule_test.byPointer.mark (*typerule_test.mark)"+is+marked("byPointer"))
	refuses[around](t, r, "typerule_test.around.p (*typerule_test.leaf)"+is+marked("around"))
	refuses[pair[node, string]](t, r,
		"typerule_test.pair[github.com/gopalloc/palloc/internal/typerule_test.node,string].value (string)"+holds+marked("pair[...]"))
}

// TestTheLineThatIsShownIsAccepted writes what the refusals show.
func TestTheLineThatIsShownIsAccepted(t *testing.T) {
	r := newRule()
	type holder struct { // as the line shows it
		mark
		p *leaf
	}
	refuses[holder](t, r, "")
	refuses[struct {
		mark
		p *int
	}](t, r, "")
	refuses[struct {
		mark
		v string
	}](t, r, "")
	if why := r.Allow(reflect.TypeFor[time.Time](), "UTC and Local are static"); why != "" {
		t.Error(why)
	}
	refuses[event](t, r, "")
	if why := r.Allow(reflect.TypeFor[text](), "constants"); why != "" {
		t.Error(why)
	}
	refuses[text](t, r, "")
	refuses[struct{ m int }](t, r, "")
}

func TestTypesWithoutForeignPointersAreAccepted(t *testing.T) {
	r := newRule()
	refuses[leaf](t, r, "")
	refuses[[3]leaf](t, r, "")
	refuses[uintptr](t, r, "")
	refuses[[0]*leaf](t, r, "")
	refuses[struct {
		_ [0]func()
		n int
	}](t, r, "")
	refuses[node](t, r, "")
	refuses[all](t, r, "")
	refuses[twice](t, r, "")
	refuses[[2][2]twice](t, r, "")
	refuses[withPointers](t, r, "")
	refuses[list[string]](t, r, "")
	refuses[pair[node, int]](t, r, "")
}

func TestADescriptorIsThatOfItsType(t *testing.T) {
	for _, c := range []struct {
		of       *typerule.Type
		typ      reflect.Type
		pointers bool
	}{
		{typerule.Of[leaf](), reflect.TypeFor[leaf](), false},
		{typerule.Of[holder](), reflect.TypeFor[holder](), true},
		{typerule.Of[error](), reflect.TypeFor[error](), true},
		{typerule.Of[[0]*int](), reflect.TypeFor[[0]*int](), false},
		{typerule.Of[struct{}](), reflect.TypeFor[struct{}](), false},
	} {
		if c.of.Reflect() != c.typ || c.of.HasPointers() != c.pointers {
			t.Errorf("the descriptor of %v is that of %v, pointers: %v", c.typ, c.of.Reflect(), c.of.HasPointers())
		}
	}
}

// TestManyTypesKeepTheirVerdicts asks about more types than have a place each.
func TestManyTypesKeepTheirVerdicts(t *testing.T) {
	r := newRule()
	for range 3 {
		verdicts[byte](t, r)
		verdicts[int16](t, r)
		verdicts[float64](t, r)
		verdicts[leaf](t, r)
		verdicts[[2]leaf](t, r)
		verdicts[node](t, r)
	}
}

func verdicts[T any](t *testing.T, r *typerule.Rule) {
	t.Helper()
	verdict[T](t, r)
	verdict[[2]T](t, r)
	verdict[[3]T](t, r)
	verdict[pair[T, T]](t, r)
	verdict[pair[T, int]](t, r)
	verdict[pair[[3]T, [5]T]](t, r)
}

func verdict[T any](t *testing.T, r *typerule.Rule) {
	t.Helper()
	if why := r.Refusal(typerule.Of[list[T]]()); why != "" {
		t.Errorf("a marked type is refused: %s", why)
	}
	if r.Refusal(typerule.Of[pair[T, *T]]()) == "" || r.Accepts(typerule.Of[pair[T, *T]]()) {
		t.Errorf("%T is accepted", *new(pair[T, *T]))
	}
}

type (
	foreign      struct{ p *leaf } // as if of another package
	unregistered struct{ p *leaf }
	withForeign  struct {
		n     int
		inner [2]struct{ f foreign }
	}
	mixed struct {
		f foreign
		u unregistered
	}
	foreignMap struct{ inner struct{ m map[string]int } }
)

func TestAnAllowedTypeIsAcceptedWhereverItIsNested(t *testing.T) {
	r := newRule()
	refuses[foreign](t, r, "typerule_test.foreign.p (*typerule_test.leaf)"+is+marked("foreign"))
	for _, typ := range []reflect.Type{reflect.TypeFor[foreign](), reflect.TypeFor[text](), reflect.TypeFor[netip.Addr]()} {
		if why := r.Allow(typ, "the test says so"); why != "" {
			t.Fatal(why)
		}
	}
	refuses[foreign](t, r, "")
	refuses[[3]foreign](t, r, "")
	refuses[withForeign](t, r, "")
	refuses[text](t, r, "")
	refuses[netip.Addr](t, r, "")
	refuses[pair[foreign, text]](t, r, "")

	refuses[unregistered](t, r, "typerule_test.unregistered.p (*typerule_test.leaf)"+is+marked("unregistered"))
	refuses[mixed](t, r, "typerule_test.mixed.u.p (*typerule_test.leaf)"+is+marked("unregistered"))
	refuses[*foreign](t, r, "*typerule_test.foreign"+is+listed("Pointers[typerule_test.foreign]", "*typerule_test.foreign"))
	if newRule().Accepts(typerule.Of[foreign]()) {
		t.Error("another rule accepts it, too")
	}
}

func TestWhatNobodyCanPromiseIsNotAllowed(t *testing.T) {
	r := newRule()
	for _, bad := range []struct {
		typ    reflect.Type
		reason string
		words  string
	}{
		{reflect.TypeFor[string](), "because", "anybody's"},
		{reflect.TypeFor[*leaf](), "because", "anybody's"},
		{reflect.TypeFor[[]byte](), "because", "anybody's"},
		{reflect.TypeFor[struct{ p *int }](), "because", "anybody's"},
		{reflect.TypeFor[error](), "because", "anybody's"},
		{reflect.TypeFor[iface](), "because", "anybody's"},
		{reflect.TypeFor[unsafe.Pointer](), "because", "anybody's"},
		{reflect.TypeFor[foreignMap](), "because", "foreignMap.inner.m (map[string]int)" + onHeap},
		{reflect.TypeFor[foreign](), "", "no reason"},
	} {
		if why := r.Allow(bad.typ, bad.reason); !strings.Contains(why, bad.words) {
			t.Errorf("%v: %q does not say %q", bad.typ, why, bad.words)
		}
	}
	if n := len(r.Allowed()); n != 0 {
		t.Errorf("%d types are allowed", n)
	}
}

func TestAllowedHasTheLastReason(t *testing.T) {
	r := newRule()
	r.Allow(reflect.TypeFor[foreign](), "first")
	r.Allow(reflect.TypeFor[foreign](), "second")
	if got := r.Allowed(); len(got) != 1 || got[reflect.TypeFor[foreign]()] != "second" {
		t.Errorf("%v", got)
	}
}

// TestAllowingWhileTypesAreDecided allows a type while others ask about one that holds
// it: no verdict from before may stand.
func TestAllowingWhileTypesAreDecided(t *testing.T) {
	for range 200 {
		r := newRule()
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 5 {
					r.Refusal(typerule.Of[withForeign]())
				}
			})
		}
		users.Go(func() { r.Allow(reflect.TypeFor[foreign](), "the test says so") })
		users.Wait()
		if why := r.Refusal(typerule.Of[withForeign]()); why != "" {
			t.Fatalf("a verdict from before the allowance stands: %s", why)
		}
	}
}
