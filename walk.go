package palloc

import "iter"

// Walks over the tree. None recurses and none holds the lock while the caller's
// code runs: a walk looks at the tree once, at its beginning, and goes through
// what it saw.

// Children are the children of the context, the latest first, as they are when
// the loop begins. The loop may create, move and delete contexts; one that was
// deleted meanwhile still comes by, and is not Live. Any goroutine.
func (mc Context) Children() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for _, child := range mc.children() {
			if !yield(child) {
				return
			}
		}
	}
}

// All are the context and all contexts below it, each before its children, the
// latest first, as they are when the loop begins. What is said of Children holds
// here. Any goroutine.
//
// PostgreSQL: MemoryContextTraverseNext.
func (mc Context) All() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for _, c := range mc.subtree("Context.All") {
			if !yield(c) {
				return
			}
		}
	}
}

func (mc Context) children() (list []Context) {
	defer mc.lock("Context.Children").unlock()
	for i := mc.slot().FirstChild; i != 0; i = coreAt(i).nextSibling {
		if child := handle(&coreAt(i).Core); child.owned() {
			list = append(list, child)
		}
	}
	return list
}

// subtree lists the context and what is below it, parents first.
func (mc Context) subtree(op string) (list []Context) {
	defer mc.lock(op).unlock()
	top := mc.slot()
	for s := top; s != nil; s = s.after(top) {
		list = append(list, handle(&s.Core))
	}
	return list
}

// after is the core that follows s in a walk of the subtree of top, parents
// first; nil at the end. Parked cores do not come by. The tree's lock must be
// held over the whole walk.
func (s *core) after(top *core) *core {
	for {
		if s = s.step(top); s == nil || handle(&s.Core).owned() {
			return s
		}
	}
}

func (s *core) step(top *core) *core {
	if s.FirstChild != 0 {
		return coreAt(s.FirstChild)
	}
	for s != top {
		if s.nextSibling != 0 {
			return coreAt(s.nextSibling)
		}
		s = coreAt(s.parent)
	}
	return nil
}
