package palloc

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// The pointer rule: the collector does not see into a context, so that a Go
// pointer kept there keeps nothing alive. A type with pointers is refused unless
// it says that its pointers lead into contexts only, by embedding Linked.
//
// Invariant: a type that passed once passes always.
//
// Cost: for a type without pointers none, since the compiler knows; for a Linked
// type a load and a compare; for a type new to the process, one look at it.

// Linked marks a struct type whose Go pointers (pointers, slices, strings, funcs,
// interfaces) only ever lead to memory of contexts that live at least as long,
// or to static data: constants, top-level functions. Embed it by value, first,
// where it takes no space. Maps and channels are never of that sort. For a type that
// is not yours there is AllowPointers.
//
//	type node struct {
//		palloc.Linked
//		left, right *node
//	}
type Linked struct{}

// goType is the beginning of the runtime's type descriptor, and of a pointer
// type's. The compiler folds loads of ptrBytes, hash and elem into constants; of
// ptrBytes only if it is not declared a uintptr, which it takes for an address.
type goType struct {
	_        uintptr
	ptrBytes int // leading bytes that may hold pointers; 0: there are none
	hash     uint32
	_        [4]uint8
	_, _     uintptr
	_, _     int32
	elem     *goType // of a pointer type: what it points to
}

// typeOf is the descriptor of T.
func typeOf[T any]() *goType {
	var p any = (*T)(nil)
	return (*(**goType)(unsafe.Pointer(&p))).elem // the first word of an interface is its type
}

// init refuses to run where the runtime lays its descriptors out differently:
// the pointer rule would judge by chance.
func init() {
	type two struct {
		n uint64
		p *int
	}
	wrong := typeOf[two]().ptrBytes != int(unsafe.Offsetof(two{}.p)+unsafe.Sizeof(uintptr(0))) ||
		typeOf[[5]string]().ptrBytes == 0 || typeOf[[3]uint64]().ptrBytes != 0 ||
		typeOf[**two]().elem != typeOf[*two]() || typeOf[two]().hash == typeOf[*two]().hash
	if wrong {
		panic("palloc: this Go release lays out type descriptors differently: use a palloc release that knows it")
	}
}

// passed remembers types with pointers that are Linked: by hash, the descriptor.
var passed [256]atomic.Pointer[goType]

// mayHold says whether a type may lie in a context, as far as that is known
// without a look at it.
func mayHold(t *goType) bool {
	return t.ptrBytes == 0 || passed[t.hash%uint32(len(passed))].Load() == t
}

// refusals has what was found of every type that was looked at: "" or why it is
// refused.
var refusals sync.Map // reflect.Type -> string

// looking is held during a look at a type, so that a verdict never gets among the
// refusals that was made before somebody vouched for the type.
var looking struct {
	sync.Mutex
	vouched map[reflect.Type]Allowance // see AllowPointers
}

// admitType panics unless values of the type may lie in a context. It is apart
// from mayHold since it looks at the type, once. op is what was called.
func admitType(op string, own *goType) {
	t := own.reflected()
	why, known := refusals.Load(t)
	if !known {
		why = look(t)
	}
	if why != "" {
		panic(&Fault{Op: fmt.Sprintf("%s[%v]", op, t), Reason: why.(string)})
	}
	passed[own.hash%uint32(len(passed))].Store(own)
}

// look finds out whether a type is refused, and why.
func look(t reflect.Type) string {
	looking.Lock()
	defer looking.Unlock()
	why := refusal(t, t.String(), false)
	refusals.Store(t, why)
	return why
}

// reflected is the type that the descriptor describes.
func (t *goType) reflected() reflect.Type {
	var of any
	*(**goType)(unsafe.Pointer(&of)) = t // an interface's type word; TypeOf looks at no other
	return reflect.TypeOf(of)
}

// Why a type is refused, behind the path of the field and its type.
const (
	goPointer = " is a Go pointer, which the collector would not see here: " +
		"embed palloc.Linked in the struct if it only ever leads into contexts, else keep it on Go's heap"
	goRuntime = " lies on Go's heap, and the collector would not see here that it is in use: keep it on Go's heap"
)

// refusal is why the first pointer in t is not allowed, or "". path leads to t;
// linked says that a struct around it embeds Linked, or is vouched for. It descends
// as deep as types are nested by value. The caller holds looking.
func refusal(t reflect.Type, path string, linked bool) string {
	if _, vouched := looking.vouched[t]; vouched {
		linked = true
	}
	switch t.Kind() {
	case reflect.Map, reflect.Chan:
		return fmt.Sprintf("%s (%v)", path, t) + goRuntime
	case reflect.Pointer, reflect.Slice, reflect.String, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		if linked {
			return ""
		}
		return fmt.Sprintf("%s (%v)", path, t) + goPointer
	case reflect.Array:
		if t.Len() == 0 {
			return ""
		}
		return refusal(t.Elem(), path+"[0]", linked)
	case reflect.Struct:
		return refusalInStruct(t, path, linked || embedsLinked(t))
	}
	return ""
}

func refusalInStruct(t reflect.Type, path string, linked bool) string {
	for i := range t.NumField() {
		f := t.Field(i)
		if why := refusal(f.Type, path+"."+f.Name, linked); why != "" {
			return why
		}
	}
	return ""
}

func embedsLinked(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == reflect.TypeFor[Linked]() {
			return true
		}
	}
	return false
}
