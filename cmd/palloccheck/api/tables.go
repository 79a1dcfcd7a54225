package api

// What each function does to the memory of contexts.

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

// Creates are the functions that return a new context below their first argument.
var Creates = set("NewAllocSet", "NewBump", "NewGeneration", "NewSlab")

// Allocates are the functions whose first result is a chunk of the context that is their
// first argument.
var Allocates = set(
	"New", "NewUninitialized", "TryNew", "MakeSlice", "TryMakeSlice",
	"Append", "TryAppend", "Grow", "TryGrow", "Clone", "TryClone",
	"CloneValue", "TryCloneValue", "MakeStrings", "TryMakeStrings", "MakePointers", "TryMakePointers", "CloneStrings", "TryCloneStrings",
	"CloneString", "TryCloneString", "Sprintf", "TrySprintf", "JoinStrings", "TryJoinStrings",
	"AppendString", "TryAppendString", "AppendInt", "TryAppendInt", "AppendUint", "TryAppendUint",
	"AppendFloat", "TryAppendFloat", "AppendQuote", "TryAppendQuote",
	"Context.Alloc", "Context.AllocAligned", "Context.AllocAlignedZeroed", "Context.AllocArray", "Context.AllocZeroed",
	"Context.TryAlloc", "Context.TryAllocAligned", "Context.TryAllocAlignedZeroed", "Context.TryAllocArray", "Context.TryAllocZeroed",
)

// Resizes are the functions whose first result is a chunk of the context of the chunk that
// is their first argument.
var Resizes = set("Realloc", "ReallocArray", "ReallocZeroed", "TryRealloc", "TryReallocArray", "TryReallocZeroed")

// Lends are the methods of a Buffer that return its bytes without a copy.
var Lends = set("Buffer.AvailableBuffer", "Buffer.Bytes", "Buffer.String")

// Writes are the methods of a Buffer after which what a method of Lends returned is invalid.
var Writes = set(
	"Buffer.Free", "Buffer.ReadFrom", "Buffer.Reset", "Buffer.Truncate",
	"Buffer.Write", "Buffer.WriteByte", "Buffer.WriteRune", "Buffer.WriteString", "Buffer.WriteTo",
)

// Frees tells which argument's chunk a function frees: it must not be used afterwards. A Try
// function that fails frees nothing.
var Frees = map[string]int{
	"Free": 0, "FreePointer": 0, "FreeSlice": 0, "FreeString": 0,
	"Realloc": 0, "ReallocArray": 0, "ReallocZeroed": 0,
	"Append": 1, "Grow": 1,
	"AppendString": 1, "AppendInt": 1, "AppendUint": 1, "AppendFloat": 1, "AppendQuote": 1,
}

// An End is what a method of a context ends.
type End struct {
	Itself, Chunks, Below bool // the context, its chunks, the contexts below it
	BelowChunks           bool // the chunks of those
}

// Ends are the methods that end a context or its chunks.
var Ends = map[string]End{
	"Context.Delete":         {Itself: true, Chunks: true, Below: true, BelowChunks: true},
	"Context.Reset":          {Chunks: true, Below: true, BelowChunks: true},
	"Context.ResetOnly":      {Chunks: true},
	"Context.DeleteChildren": {Below: true, BelowChunks: true},
	"Context.ResetChildren":  {BelowChunks: true},
}

// AfterDeletion are the functions that a deleted context may be used with.
var AfterDeletion = set("Context.All", "Context.Children", "Context.Live")

// OwnerOnly are the functions with a context as first argument that only its owner may call.
var OwnerOnly = set(
	"Append", "Clone", "CloneString", "Grow", "LiveChunks", "MakeSlice", "New", "NewBuffer", "NewUninitialized", "Sprintf",
	"TryAppend", "TryClone", "TryCloneString", "TryGrow", "TryMakeSlice", "TryNew", "TrySprintf",
	"NewRef", "TryNewRef", "NewText", "TryNewText", "CloneValue", "TryCloneValue",
	"CloneStrings", "MakePointers", "MakeStrings", "TryCloneStrings", "TryMakePointers", "TryMakeStrings",
	"AppendFloat", "AppendInt", "AppendQuote", "AppendString", "AppendUint", "JoinStrings",
	"TryAppendFloat", "TryAppendInt", "TryAppendQuote", "TryAppendString", "TryAppendUint", "TryJoinStrings",
	"Context.Alloc", "Context.AllocAligned", "Context.AllocAlignedZeroed", "Context.AllocArray", "Context.AllocZeroed",
	"Context.TryAlloc", "Context.TryAllocAligned", "Context.TryAllocAlignedZeroed", "Context.TryAllocArray", "Context.TryAllocZeroed",
	"Context.AnswerPressure", "Context.BeforeReset", "Context.CancelWaits", "Context.Check",
	"Context.Compact", "Context.Delete", "Context.DeleteChildren", "Context.IsEmpty",
	"Context.Layout", "Context.Lifetime", "Context.Reset", "Context.ResetChildren", "Context.ResetOnly",
)

// Keeps are the functions that take over to end the context, or make it reachable, with the
// index of the argument.
var Keeps = map[string]int{"Tie": 1, "TieFunc": 1, "NewGoContext": 1, "Context.SetParent": 0}

// MustUse are the functions that are called for their result alone, with the reason.
var MustUse = map[string]string{
	"Append": moved, "Grow": moved, "TryAppend": moved, "TryGrow": moved,
	"AppendString": moved, "AppendInt": moved, "AppendUint": moved, "AppendFloat": moved, "AppendQuote": moved,
	"TryAppendString": moved, "TryAppendInt": moved, "TryAppendUint": moved, "TryAppendFloat": moved, "TryAppendQuote": moved,
	"Realloc": moved, "ReallocArray": moved, "ReallocZeroed": moved,
	"TryRealloc": moved, "TryReallocArray": moved, "TryReallocZeroed": moved,
	"Clone": copied, "TryClone": copied, "CloneString": copied, "TryCloneString": copied,
	"CloneValue": copied, "TryCloneValue": copied,
	"NewText": copied, "TryNewText": copied, "TextOf": noEffect, "RefOf": noEffect, "VecOf": noEffect,
	"CloneStrings": copied, "TryCloneStrings": copied,
	"Sprintf": copied, "TrySprintf": copied, "JoinStrings": copied, "TryJoinStrings": copied,
	"Buffer.Bytes": noEffect, "Buffer.String": noEffect, "Buffer.AvailableBuffer": noEffect, "Buffer.Clone": noEffect,
	"NewBuffer": noEffect, "NewGoContext": noEffect, "FromGoContext": noEffect,
	"Context.Check": "it is the only report of what was found", "TakeSnapshot": noEffect, "Context.Layout": noEffect,
	"Context.EnterCritical": "only the result ends the critical section",
	"Context.TryAlloc":      refused, "Context.TryAllocAligned": refused, "Context.TryAllocAlignedZeroed": refused, "Context.TryAllocArray": refused,
	"Context.TryAllocZeroed": refused, "TryNew": refused, "TryNewRef": refused, "TryMakeSlice": refused, "Buffer.TryGrow": refused,
}

const (
	moved    = "the old memory may be freed, and only the result is valid"
	copied   = "the copy is lost until its context ends"
	noEffect = "the call has no other effect"
	refused  = "it may be an error, that memory ran out"
)
