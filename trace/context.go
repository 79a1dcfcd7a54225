package trace

// Contexts at their creation: the kind, the name and the sizes that they were created
// with.
//
// Invariant: a definition holds no pointer; its name is a number in the string
// table. Cost: 32 bytes a context.

// A Kind is the way in which a context allocates. The numbers are those of the format.
type Kind uint8

// The kinds.
const (
	AllocSet Kind = iota
	Slab
	Generation
	Bump

	numKinds = iota
)

var kindNames = [numKinds]string{"AllocSet", "Slab", "Generation", "Bump"}

// String returns the name of the kind, such as "AllocSet".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// A Context describes a context as it was created. All sizes are bytes. A Slab
// has BlockSize and ChunkSize, every other kind MinSize, InitSize and MaxSize;
// the rest is 0.
type Context struct {
	Kind      Kind
	Name      string
	MinSize   int64 // the context never shrinks below it
	InitSize  int64 // of the first block
	MaxSize   int64 // of a block
	BlockSize int64 // of every block
	ChunkSize int64 // of every chunk
}

// definition is a Context as a trace keeps it.
type definition struct {
	sizes [3]int64 // in the order of the format
	name  uint32
	kind  Kind
}

// numSizes returns how many sizes the format has for a context of the kind.
func (k Kind) numSizes() int {
	if k == Slab {
		return 2
	}
	return 3
}

// chunkSize returns the one size that a Slab allocates, in bytes.
func (d *definition) chunkSize() int64 { return d.sizes[1] }

// define returns the definition of a Context whose name is string number name.
func define(c Context, name uint32) definition {
	d := definition{kind: c.Kind, name: name}
	if c.Kind == Slab {
		d.sizes = [3]int64{c.BlockSize, c.ChunkSize}
	} else {
		d.sizes = [3]int64{c.MinSize, c.InitSize, c.MaxSize}
	}
	return d
}

// Context returns the description of context number mc. The name is part of the
// trace: nothing is copied.
func (t *Trace) Context(mc uint32) Context {
	d := &t.contexts[mc]
	c := Context{Kind: d.kind, Name: t.text.at(d.name)}
	if d.kind == Slab {
		c.BlockSize, c.ChunkSize = d.sizes[0], d.sizes[1]
	} else {
		c.MinSize, c.InitSize, c.MaxSize = d.sizes[0], d.sizes[1], d.sizes[2]
	}
	return c
}
