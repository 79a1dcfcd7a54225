// Command bugs makes the three mistakes that malloc invites, in an ordinary context and in a checked
// one, and prints what palloc says to each.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/gopalloc/palloc"
)

type note struct{ Text [100]byte }

func main() {
	plain := palloc.NewAllocSet(palloc.Top(), "plain")
	checked := palloc.NewAllocSet(palloc.Top(), "checked", palloc.Checked())
	for _, mc := range []palloc.Context{plain, checked} {
		fmt.Printf("== %s\n", mc.Name())
		fmt.Println("free twice:     ", said(func() { freeTwice(mc) }))
		fmt.Println("double free:    ", said(func() { doubleFree(mc) }))
		fmt.Println("use after free: ", said(func() { useAfterFree(mc) }))
	}
	leak(checked)
	for _, g := range palloc.LiveChunks(checked) {
		fmt.Printf("still live: %d chunk of %d bytes%s\n", g.Count, g.Size, place(", allocated in ", g.Made))
	}
	plain.Delete()
	checked.Delete() // ends all chunks, the forgotten one included
}

func freeTwice(mc palloc.Context) {
	p := palloc.New[note](mc)
	palloc.Free(p)
	palloc.Free(p)
}

func doubleFree(mc palloc.Context) {
	first := palloc.New[note](mc)
	palloc.Free(first)
	second := palloc.New[note](mc) // in an ordinary context the same chunk
	palloc.Free(first)
	third := palloc.New[note](mc)
	if second == third {
		fmt.Println("second and third are the same chunk")
	}
}

func useAfterFree(mc palloc.Context) {
	old := palloc.New[note](mc)
	palloc.Free(old)
	password := palloc.New[note](mc) // in an ordinary context the same chunk
	copy(password.Text[:], "secret")
	copy(old.Text[:], "changed")
	fmt.Printf("the password is: %s\n", bytes.TrimRight(password.Text[:], "\x00"))
	if err := mc.Check(); err != nil {
		panic(err)
	}
}

func leak(mc palloc.Context) { palloc.New[note](mc) } // and forgets it

// said runs f, and returns what palloc says to it.
func said(f func()) (text string) {
	defer func() {
		err, _ := recover().(error)
		var fault *palloc.Fault
		if text = "nothing"; errors.As(err, &fault) {
			text = fmt.Sprintf("%v, noticed by %s%s%s", fault.Mistake, fault.Op, place("; allocated in ", fault.Made), place(", freed in ", fault.Ended))
		}
	}()
	f()
	return ""
}

// place returns the function and the line of the innermost frame, after what, or "" if there is none.
func place(what string, frames []runtime.Frame) string {
	if len(frames) == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s:%d", what, filepath.Ext(frames[0].Function)[1:], frames[0].Line)
}
