package cookbook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/cache"
	"github.com/gopalloc/palloc/draw"
	"github.com/gopalloc/palloc/hashmap"
	"github.com/gopalloc/palloc/pallochttp"
)

// The programs of docs/COOKBOOK.md, which shows them as they are here.

type user struct {
	ID   uint64
	Name palloc.Text
}

func Example_keepAString() {
	mc := palloc.NewAllocSet(palloc.Top(), "users")
	defer mc.Delete()

	line := []byte("17,Ada") // a buffer that the next line overwrites
	u := palloc.New[user](mc)
	u.ID = 17
	u.Name = palloc.NewText(mc, line[3:])
	copy(line, "18,Bob")

	fmt.Println(u.ID, u.Name)
	// Output: 17 Ada
}

func Example_cacheUnderALimit() {
	pages := cache.New(palloc.Top(), "pages", 1<<20)
	defer pages.Context().Delete()

	for n := range 10_000 {
		pages.Put(fmt.Sprint("/page/", n), make([]byte, 1000))
	}
	body, found := pages.Get(nil, "/page/9999")

	pages.PutUntil("/news", body, time.Now().Add(time.Minute)) // not found after a minute
	pages.Update("hits", func(i *cache.Item) bool {
		n, _ := strconv.Atoi(string(i.Value))
		i.Value = strconv.AppendInt(nil, int64(n)+1, 10)
		return true
	})

	fmt.Println(len(body), found, pages.Has("hits"), pages.Context().TreeHeld() <= 1<<20)
	// Output: 1000 true true true
}

func Example_limitPerRequest() {
	server := palloc.NewAllocSet(palloc.Top(), "server")
	defer server.Delete()
	server.SetLimit(64 << 20) // of all requests together

	rows := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mc := pallochttp.Context(r) // deleted when the request is answered
		list := palloc.MakeSlice[int64](mc, len(r.URL.Path)*10_000, len(r.URL.Path)*10_000)
		fmt.Fprint(w, len(list), " rows")
	})
	handler := pallochttp.Handler(server, 1<<20, rows,
		pallochttp.With(palloc.OfKind(palloc.KindBump)),
		pallochttp.OnRefusal(func(r *http.Request, err *palloc.OutOfMemoryError) { fmt.Println("refused by", err.LimitedBy) }))

	for _, path := range []string{"/small", "/" + strings.Repeat("large", 10)} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		fmt.Println(answer.Code, strings.TrimSpace(answer.Body.String()))
	}
	// Output:
	// 200 60000 rows
	// refused by Top/server/request
	// 503 the request needs too much memory
}

func Example_spill() {
	query := palloc.NewAllocSet(palloc.Top(), "query")
	defer query.Delete()
	query.SetLimit(1 << 20)
	rows := palloc.NewBump(query, "rows")

	var batch []int64
	spilled := 0
	spill := func() { // writes the batch to disk, in a real operator
		sort.Slice(batch, func(i, j int) bool { return batch[i] < batch[j] })
		spilled += len(batch)
		batch = nil
		rows.Reset()
	}
	for i := range int64(200_000) {
		more, err := palloc.TryAppend(rows, batch, 200_000-i)
		if err != nil {
			spill()
			more = palloc.Append(rows, batch, 200_000-i)
		}
		batch = more
	}

	fmt.Println(spilled+len(batch), spilled > 0, query.Budget().Peak <= 1<<20)
	// Output: 200000 true true
}

func Example_parallelWorkers() {
	query := palloc.NewAllocSet(palloc.Top(), "query")
	defer query.Delete()
	query.SetLimit(16 << 20) // of all workers together

	sums := make([]int, 4)
	var wg sync.WaitGroup
	for i := range sums {
		worker := palloc.NewBump(query, "worker") // each has a context of its own
		wg.Go(func() {
			for n := range 1000 {
				row := palloc.New[[2]int](worker)
				row[0], row[1] = n, i
				sums[i] += row[0] * row[1]
			}
		})
	}
	wg.Wait()

	fmt.Println(sums)
	// Output: [0 499500 999000 1498500]
}

type session struct {
	Name  palloc.Text
	Count int
}

func Example_moveAMap() {
	mc := palloc.NewAllocSet(palloc.Top(), "sessions")
	defer mc.Delete()

	sessions := hashmap.NewStrings[session](mc, 0) // was: map[string]*session{}
	s := sessions.Entry("17")                      // was: if s == nil { s = new(session); sessions["17"] = s }
	s.Name = palloc.NewText(mc, "Ada")
	s.Count++

	if s := sessions.Ref("17"); s != nil { // was: if s := sessions["17"]; s != nil {
		fmt.Println(s.Name, s.Count, sessions.Len())
	}
	// Output: Ada 1 1
}

func Example_metrics() {
	mc := palloc.NewAllocSet(palloc.Top(), "tenant")
	defer mc.Delete()
	mc.SetLimit(64 << 20)
	mc.Alloc(10_000)

	budget, heap := mc.Budget(), palloc.PageHeap()
	metrics := map[string]int64{
		"tenant_held_bytes":  budget.Held,
		"tenant_peak_bytes":  budget.Peak,
		"tenant_limit_bytes": budget.Limit,
		"palloc_max_bytes":   heap.MaxResident(),
	}

	fmt.Println(len(metrics), metrics["tenant_held_bytes"] >= 10_000, metrics["palloc_max_bytes"] > metrics["tenant_held_bytes"])
	// Output: 4 true true
}

// tree answers with a picture of all contexts.
func tree(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	_ = draw.Tree(w, palloc.TakeSnapshot(palloc.Top()), 0) // the error is w's
}

func Example_seeTheTree() {
	mc := palloc.NewAllocSet(palloc.Top(), "sessions")
	defer mc.Delete()
	for range 100 {
		palloc.NewBump(mc, "session").Alloc(1000)
	}

	answer := httptest.NewRecorder()
	tree(answer, httptest.NewRequest("GET", "/contexts.svg", nil))
	page := answer.Body.String()

	fmt.Println(answer.Header().Get("Content-Type"), strings.Contains(page, "sessions"), strings.Contains(page, "×100"))
	// Output: image/svg+xml true true
}
