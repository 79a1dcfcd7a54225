package typerule

import (
	"fmt"
	"reflect"
	"strings"
)

// The walk over a type to its first pointer that is not accepted, and the text about it:
// the path to the field, what is wrong, and the line to write.
//
// Invariant: the line, written where it says, makes the pointer accepted.
//
// Cost: a step for each field; it descends as deep as types are nested by value.

// offender is the first pointer of a type that is refused.
type offender struct {
	path   []string     // the type, then fields and elements down to the pointer
	field  string       // the field that holds it, "" for none
	typ    reflect.Type // of the pointer, or of the map or channel
	holder reflect.Type // the innermost defined type around, else the innermost struct, else nil
}

// walker walks over a type. The caller holds the rule's mu.
type walker struct {
	rule *Rule
	at   offender
}

// walk returns the offender of a type, nil where it has none. One that is marked has its
// pointers accepted as if it embedded the marker.
func (r *Rule) walk(t reflect.Type, marked bool) *offender {
	w := walker{rule: r}
	w.at.path = []string{t.String()}
	if w.refuses(t, marked) {
		return &w.at
	}
	return nil
}

// refuses reports whether something in t is refused; w.at then says what. marked says
// that a type around it embeds the marker or is allowed.
func (w *walker) refuses(t reflect.Type, marked bool) bool {
	if _, allowed := w.rule.allowed[t]; allowed {
		marked = true
	}
	switch t.Kind() {
	case reflect.Map, reflect.Chan:
		return w.found(t)
	case reflect.Pointer, reflect.Slice, reflect.String, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		return !marked && w.found(t)
	case reflect.Array:
		return t.Len() > 0 && w.refusesIn("[0]", t.Elem(), marked)
	case reflect.Struct:
		return w.refusesStruct(t, marked || w.rule.embedsMarker(t))
	}
	return false
}

func (w *walker) found(t reflect.Type) bool {
	w.at.typ = t
	return true
}

func (w *walker) refusesIn(step string, t reflect.Type, marked bool) bool {
	w.at.path = append(w.at.path, step)
	if w.refuses(t, marked) {
		return true
	}
	w.at.path = w.at.path[:len(w.at.path)-1]
	return false
}

func (w *walker) refusesStruct(t reflect.Type, marked bool) bool {
	outer := w.at.holder
	if t.Name() != "" || outer == nil || outer.Name() == "" {
		w.at.holder = t
	}
	for i := range t.NumField() {
		f := t.Field(i)
		w.at.field = f.Name
		if w.refusesIn("."+f.Name, f.Type, marked) {
			return true
		}
	}
	w.at.holder = outer
	return false
}

func (r *Rule) embedsMarker(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == r.Marker {
			return true
		}
	}
	return false
}

// refusal returns the text about an offender, "" for none.
func (o *offender) refusal(r *Rule) string {
	if o == nil {
		return ""
	}
	where := strings.Join(o.path, "")
	if typ := o.typ.String(); typ != where {
		where += " (" + typ + ")"
	}
	if k := o.typ.Kind(); k == reflect.Map || k == reflect.Chan {
		return where + " lies on Go's heap, and the collector does not see a reference in a context: " + o.index()
	}
	verb := " holds" // a string, a slice, a func, an interface
	if k := o.typ.Kind(); k == reflect.Pointer || k == reflect.UnsafePointer {
		verb = " is"
	}
	return where + verb + " a Go pointer, which the collector does not see in a context: keep it on Go's heap, or, " +
		"if it only ever leads into contexts that live at least as long (CloneString and Clone copy into one), write " + o.marked(r.Marker)
}

// index returns what to write instead of a map or a channel.
func (o *offender) index() string {
	const keep = "keep it there, in a variable of type []%v for one, and its index here"
	if o.field == "" || o.field == "_" {
		return fmt.Sprintf(keep, o.typ)
	}
	return fmt.Sprintf(keep+": `%s int`", o.typ, o.field)
}

// marked returns the lines that have the pointer accepted.
func (o *offender) marked(marker reflect.Type) string {
	switch h := o.holder; {
	case h == nil && o.typ == reflect.TypeFor[string]():
		return fmt.Sprintf("`palloc.MakeStrings(mc, len, cap)` for a list, or `struct { %v; v %v }` around it", marker, o.typ)
	case h == nil && o.typ.Kind() == reflect.Pointer:
		return fmt.Sprintf("`palloc.MakePointers[%v](mc, len, cap)` for a list, or `struct { %v; v %v }` around it", o.typ.Elem(), marker, o.typ)
	case h == nil && allowable(o.typ):
		return fmt.Sprintf("`struct { %v; v %v }` around it, or %s", marker, o.typ, allowLine(o.typ))
	case h == nil:
		return fmt.Sprintf("`struct { %v; v %v }` around it", marker, o.typ)
	case h.Name() == "":
		return fmt.Sprintf("`struct { %v; ... }`", marker)
	default:
		return fmt.Sprintf("`type %s struct { %v; ... }`, or, if that type is not yours, %s", short(h.Name()), marker, allowLine(h))
	}
}

func allowLine(t reflect.Type) string {
	return fmt.Sprintf("`var _ = palloc.AllowPointers[%s](\"why that holds\")`", short(t.String()))
}

// short returns a type's name with its type arguments left out.
func short(name string) string {
	if head, _, generic := strings.Cut(name, "["); generic {
		return head + "[...]"
	}
	return name
}
