package typerule

import (
	"reflect"
	"unsafe"
)

// The runtime's type descriptor: whether a type has pointers, without reflection.
//
// Invariant: a program does not start where the runtime lays descriptors out
// differently.
//
// Cost: none. The compiler knows what a descriptor contains, so that HasPointers of a
// type that it knows is a constant.

// A Type is the beginning of the runtime's type descriptor and of a pointer type's. The
// compiler folds loads of ptrBytes, hash and elem into constants; of ptrBytes only
// while it is not declared a uintptr, which it takes for an address.
type Type struct {
	_        uintptr
	ptrBytes int // leading bytes that may hold pointers; 0: there are none
	hash     uint32
	_        [4]uint8
	_, _     uintptr
	_, _     int32
	elem     *Type // of a pointer type: what it points to
}

// Of returns the descriptor of T.
func Of[T any]() *Type {
	var p any = (*T)(nil)
	return (*(**Type)(unsafe.Pointer(&p))).elem // the first word of an interface is its type
}

// HasPointers reports whether values of the type may hold pointers.
func (t *Type) HasPointers() bool { return t.ptrBytes != 0 }

// IsPointer reports whether the type is string, or a pointer, and none that a program defined.
func (t *Type) IsPointer() bool {
	of := t.Reflect()
	return of.PkgPath() == "" && (of.Kind() == reflect.String || of.Kind() == reflect.Pointer)
}

// Reflect returns the type that the descriptor describes.
func (t *Type) Reflect() reflect.Type {
	var of any
	*(**Type)(unsafe.Pointer(&of)) = t // an interface's type word; TypeOf looks at no other
	return reflect.TypeOf(of)
}

// init panics where the runtime lays descriptors out differently, since the rule would
// decide by chance.
func init() {
	type two struct {
		n uint64
		p *int
	}
	wrong := Of[two]().ptrBytes != int(unsafe.Offsetof(two{}.p)+unsafe.Sizeof(uintptr(0))) ||
		Of[[5]string]().ptrBytes == 0 || Of[[3]uint64]().ptrBytes != 0 ||
		Of[**two]().elem != Of[*two]() || Of[two]().hash == Of[*two]().hash
	if wrong {
		panic("palloc: this Go release lays out type descriptors differently: use a palloc release that knows it")
	}
}
