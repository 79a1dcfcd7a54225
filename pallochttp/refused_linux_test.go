//go:build linux && !race && !palloc_goheap

package pallochttp_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/pallochttp"
)

// A system that refuses the memory of a request's context itself. Only Linux is tested, which
// limits a process's writable memory (RLIMIT_DATA).

// inChild is in the environment of the process with a limit on its data.
const inChild = "PALLOCHTTP_TEST_DATA_LIMIT"

func TestAContextThatTheSystemRefusesIs503(t *testing.T) {
	if os.Getenv(inChild) != "" {
		refuseContexts(t)
		return
	}
	if testing.Short() {
		t.Skip("-short: starts a process, and fills 400 MB")
	}
	child := exec.Command("sh", "-c", `ulimit -d 400000 && exec "$0" -test.v -test.run='^`+t.Name()+`$'`, os.Args[0])
	child.Env = append(os.Environ(), inChild+"=1")
	out, err := child.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() >= 126) {
		t.Skip("this machine does not start the test with a limit: ", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// refuseContexts makes the system refuse a context, and asks for a request.
func refuseContexts(t *testing.T) {
	spare := make([]byte, 64<<20) // for Go's heap meanwhile
	runtime.KeepAlive(spare)
	told := 0
	h := pallochttp.Handler(palloc.Top(), 1<<20, http.NotFoundHandler(),
		pallochttp.OnRefusal(func(_ *http.Request, err *palloc.OutOfMemoryError) { told++ }))
	fill := palloc.NewAllocSet(palloc.Top(), "fill")
	for _, size := range []int{10 << 20, 100 << 10, 1000} {
		for {
			if _, err := fill.TryAlloc(size); err != nil {
				break
			}
		}
	}
	for range 1_000_000 {
		if !created() {
			answer, panicked := ask(h, "/")
			if panicked != nil || answer.Code != http.StatusServiceUnavailable || told != 1 {
				t.Errorf("the answer is %d, the panic %v, and OnRefusal was called %d times", answer.Code, panicked, told)
			}
			return
		}
	}
	t.Error("the limit does not limit")
}

// created reports whether the system has memory for another context.
func created() (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			if _, short := v.(*palloc.OutOfMemoryError); !short {
				panic(v)
			}
		}
	}()
	palloc.NewAllocSet(palloc.Top(), "another")
	return true
}
