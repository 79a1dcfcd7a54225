package tree

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The creation of contexts.
//
// Invariant: a child is linked before its parent's epoch is read: see the package comment.
//
// Cost: a swap and a few loads where a cached node fits, else the tree's lock.

// Options are those of a creation. The zero value is the default.
type Options struct {
	First, Max uint32            // sizes of blocks, in bytes; 0: the default
	Shared     bool              // of an AllocSet
	Unchecked  bool              // even if parent is checked
	Checked    *checked.Settings // nil: those of parent

	// Prepare, if not nil, is called with Arg before the kind opens the node. Its error is
	// a kind.Misuse. It is no closure, so that a creation makes no garbage.
	Prepare func(c *kind.Core, arg uintptr) error
	Arg     uintptr
}

// rootNumber is the number of the root's node: the first that is handed out.
const rootNumber = 1

// root is the root, once rootReady is true.
var (
	root      Ref
	rootReady atomic.Bool
)

// Root returns the root of the tree, which the first call creates. Any goroutine.
func Root() Ref {
	if rootReady.Load() {
		return root
	}
	return createRoot()
}

// createRoot is separate so that Root can be inlined.
func createRoot() Ref {
	Lock()
	defer Unlock()
	if !rootReady.Load() {
		root = createParentless("Top", "Top")
		rootReady.Store(true)
	}
	return root
}

// createParentless creates a context without a parent. The tree's lock must be held.
func createParentless(op, name string) Ref {
	n := names.number(name)
	s, err := takeNode(n)
	if err != nil {
		panicUnlocked(func() error { return Explain(nil, op, kind.SlotSize, err) })
	}
	s.setName(n)
	id := allocset.ID
	if checked.Environment.Mode != 0 {
		id = checked.AllocSet
		checked.Begin(&s.Core, id, name, checked.Environment)
	}
	s.open(id, Options{})
	s.Has = IsPermanent
	return s.Ref()
}

// Create creates a child of parent. It uses a cached node of the same kind and name if it
// finds one, whose keeper suits a context of that name, and may be too large for others. Of
// several it takes the last that has only cached ones before it, so that the latest child
// still comes before older ones. It panics when parent is not live or there is no memory.
func Create(parent Ref, id kind.ID, name string) Ref {
	key := nameKey(name)
	if parent.Core == nil || key == 0 {
		return createNew(parent, id, name)
	}
	var s *Node
	i := relaxed.Load32(&parent.Node().FirstChild)
	for n := 0; i != 0 && n < reach; n++ {
		child := At(i)
		word := relaxed.Load32(&child.CachedAs)
		if word == 0 {
			break
		}
		if cachedKind(word) == id && relaxed.Load64(&child.nameKey) == key {
			s = child
		}
		i = relaxed.Load32(&child.NextSibling)
	}
	if s == nil {
		return createNew(parent, id, name)
	}
	word, ok := s.take(id)
	if ok && !s.isStill(parent, key) {
		relaxed.StoreRelease32(&s.CachedAs, word)
		ok = false
	}
	if !ok {
		return createNew(parent, id, name)
	}
	mc := Ref{&s.Core, kind.NextEpoch(s.Epoch, id)}
	if id&kind.Reopens != 0 {
		return mc.reopen()
	}
	relaxed.Store64(&s.Epoch, mc.Epoch)
	return mc
}

// reopen is separate from Create because it calls: a cached node of some kinds is not ready
// to allocate.
func (mc Ref) reopen() Ref {
	kinds.Methods[kind.KindOf(mc.Epoch)].Open(mc.Core)
	relaxed.Store64(&mc.Core.Epoch, mc.Epoch)
	return mc
}

// isStill reports whether the node, found before it was taken, is still a child of parent
// with the name, and parent is live. The swap that took it is the fence before that.
func (s *Node) isStill(parent Ref, key uint64) bool {
	return relaxed.Load64(&s.nameKey) == key && relaxed.Load32(&s.Parent) == parent.Core.Number() && parent.Live()
}

// createNew creates a child of parent from a free node.
func createNew(parent Ref, id kind.ID, name string) Ref {
	return CreateWith(parent, id, name, Options{})
}

// CreateWith creates a child of parent, under the tree's lock. It panics when parent is
// not live, when there is no memory, and with what o.Prepare returns.
func CreateWith(parent Ref, id kind.ID, name string, o Options) Ref {
	if (o.Checked != nil || checked.Is(kind.KindOf(parent.Epoch))) && !o.Unchecked {
		return createChecked(parent, id, name, o)
	}
	s := begin(parent, id, name)
	if o.Prepare != nil {
		if err := o.Prepare(&s.Core, o.Arg); err != nil {
			s.abort(nil, id, err)
		}
	}
	if o.Shared {
		if err := s.attachShards(); err != nil {
			s.abort(parent.Core, id, err)
		}
		id = shared.ID
	}
	return finish(parent, s, id, o)
}

// createChecked is CreateWith for a checked context.
func createChecked(parent Ref, id kind.ID, name string, o Options) Ref {
	if o.Shared {
		id = shared.ID
	}
	id = checked.Of(id)
	s := begin(parent, id, name)
	if o.Prepare != nil {
		if err := o.Prepare(&s.Core, o.Arg); err != nil {
			s.abort(nil, id, err)
		}
	}
	with := o.Checked
	if with == nil {
		inherited := checked.SettingsOf(parent.Core)
		with = &inherited
	}
	checked.Begin(&s.Core, id, s.Name(), *with)
	return finish(parent, s, id, o)
}

// begin takes the tree's lock and a node for a child of parent, and names it. When it
// panics the lock is free.
func begin(parent Ref, id kind.ID, name string) *Node {
	Lock()
	if !parent.Live() {
		Unlock()
		panic(parent.gone(opOf(id)))
	}
	n := names.find(name)
	s, err := takeNode(n)
	if err != nil {
		Unlock()
		panic(Explain(parent.Core, opOf(id), kind.SlotSize, err))
	}
	s.setName(n)
	return s
}

// abort frees the node that begin took, releases the lock and panics.
func (s *Node) abort(c *kind.Core, id kind.ID, err error) {
	freeNode(s)
	Unlock()
	panic(Explain(c, opOf(id), kind.SlotSize, err))
}

// finish makes the node a context and releases the lock.
func finish(parent Ref, s *Node, id kind.ID, o Options) Ref {
	if at := parent.Node(); at.Has&(kind.Limited|AllowsCritical) != 0 {
		s.Has |= at.Has & AllowsCritical
		if at.Has&kind.Limited != 0 {
			Enroll(s, at)
		}
	}
	s.open(id, o)
	link(parent.Node(), s)
	if creations.recorders > 0 || checked.Is(id) && checked.Records(&s.Core) {
		s.recordCreation()
	}
	mc := s.Ref()
	Unlock() // a fence, too
	if !parent.Live() {
		mc.undoCreate(parent)
	}
	return mc
}

// undoCreate deletes a child whose parent was deleted while it was created, unless the
// parent's deletion has done so, and panics.
func (mc Ref) undoCreate(parent Ref) {
	Lock()
	if mc.Live() {
		mc.Node().endFreeing()
	}
	Unlock()
	panic(parent.gone(opOf(kind.KindOf(mc.Epoch))))
}

// opOf returns what was called to create a context of a kind.
func opOf(id kind.ID) string { return "New" + kinds.Methods[id].Name() }

// open makes an unused node a context of a kind.
func (s *Node) open(id kind.ID, o Options) {
	if o.First != 0 {
		s.SetSizes(o.First, o.Max)
	} else {
		s.SetSizes(kind.HintedFirst(names.hint(s.name).first), kind.DefaultMax)
	}
	kinds.Methods[id].Open(&s.Core)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, id))
}

func init() {
	checked.Below = below
	checked.NameOf = func(c *kind.Core) string { return kind.Slot[Node](c).Name() }
}

// below reports whether the context of a node is below that of another one, and returns its path.
func below(c, above *kind.Core) (path string, ok bool) {
	Lock()
	defer Unlock()
	if mc := RefOf(c); !mc.Owned() || !RefOf(above).Owned() || !mc.IsWithin(kind.Slot[Node](above)) {
		return "", false
	}
	return PathOf(c), true
}

// Afterwards panics with what was found, of which no caller was told. The root package sets it.
var Afterwards func()

// RaisePending calls Afterwards if something was found: at the end of a reset, of a deletion, and of an
// allocation. No lock is held.
func RaisePending() {
	if checked.HasPending() {
		Afterwards()
	}
}

// Enroll puts a node, which is about to become a child of parent, under the budget that
// parent is under. Package budget sets it. The tree's lock is held.
var Enroll = func(s, parent *Node) {}

// Forget takes a node that becomes free off the side tables of the packages above. Package
// budget sets it. The tree's lock is held.
var Forget = func(s *Node) {}
