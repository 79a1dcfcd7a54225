package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Free cores: those of deleted contexts, for the next ones. A core goes back with
// its keeper to the name it had, since what a context of a name needs is what the
// last one of that name did; when the name is forgotten its keeper goes, too.
//
// Invariant: a free core has kind.None in its Epoch, no links but nextSibling,
// nothing to sell from, and the default sizes of blocks. One with a keeper stands
// on the list of its name, all others on one list. The tree's lock guards both.
//
// Cost: constant.
var freeCores struct {
	bare    uint32 // first core without a keeper, the latest deleted first
	keepers int    // how many cores have one
}

// Of one name mostKept keepers wait, and mostKeepers in all.
const (
	mostKept    = 8
	mostKeepers = 1024
)

// habit is what contexts of one name do.
type habit struct {
	kept  uint32 // first free core with a keeper, the latest deleted first
	count uint32 // how many there are
	first uint32 // the size of the first block that would have been enough, 0 unknown
}

// note learns from a life in which the context came to hold so many bytes: what
// was needed is there at once the next time, and what was not is forgotten slowly.
func (h *habit) note(used uintptr) {
	h.first = kind.Hint(h.first, used)
}

// takeCore gets a core for a context of a name: one with a keeper, else the one
// deleted last, else a new slot. The caller opens it.
func takeCore(name uint32) (*core, error) {
	h := names.habit(name)
	if h.kept == 0 {
		return takeBare()
	}
	h.count--
	freeCores.keepers--
	s := coreAt(h.kept)
	h.kept = s.nextSibling
	relaxed.Store32(&s.nextSibling, 0)
	return s, nil
}

// takeBare gets a core without a keeper: the one deleted last, else a new slot.
func takeBare() (*core, error) {
	if freeCores.bare == 0 {
		c, err := kind.OpenSlot()
		return kind.Slot[core](c), err
	}
	s := coreAt(freeCores.bare)
	freeCores.bare = s.nextSibling
	relaxed.Store32(&s.nextSibling, 0)
	return s, nil
}

// giveBare makes the core of a part, which holds nothing, a free one.
func giveBare(s *core) {
	s.CloseCurrent()
	relaxed.Store32(&s.name, 0) // where its name's key was, there was a lock
	relaxed.Store64(&s.nameKey, 0)
	s.SetSizes(0, 0) // set by whoever opens it
	relaxed.Store32(&s.nextSibling, freeCores.bare)
	freeCores.bare = s.Number()
}

// giveCore makes the core of a deleted context, which holds at most a keeper, a
// free one.
func giveCore(s *core) {
	if s.Has != 0 {
		s.forget()
	}
	s.CloseCurrent()
	list := &freeCores.bare
	if h := names.habit(s.name); s.Blocks != 0 && h.count < mostKept && freeCores.keepers < mostKeepers {
		list = &h.kept
		h.count++
		freeCores.keepers++
	} else {
		s.DropKeeper()
	}
	relaxed.Store32(&s.nextSibling, *list)
	*list = s.Number()
	s.dropName()
}

// forget takes a core off all that knows it beside the tree.
func (s *core) forget() {
	s.forgetListeners()
	s.forgetCancel()
	s.forgetCreation()
	s.dismissParts()
	s.discharge()
}

// dropKeepers gives back the blocks of the free cores, of some names under each hold of the
// lock.
func dropKeepers() {
	for n, more := 0, true; more; tree.pass() {
		tree.Lock()
		for ; n < len(names.pages)*namePage && tree.step(1); n++ {
			if e := names.of(uint32(n)); e != nil {
				e.habit.drop()
			}
		}
		more = n < len(names.pages)*namePage
		tree.Unlock()
	}
}

// drop gives back the blocks that wait for contexts of a name. The tree's lock must be held.
func (h *habit) drop() {
	for h.kept != 0 {
		tree.step(burialSteps)
		s := coreAt(h.kept)
		h.kept = s.nextSibling
		s.DropKeeper()
		relaxed.Store32(&s.nextSibling, freeCores.bare)
		freeCores.bare = s.Number()
		h.count--
		freeCores.keepers--
	}
}
