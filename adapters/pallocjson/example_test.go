package pallocjson_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/adapters/pallocjson"
)

// A document in a context with a limit.
func Example() {
	body := strings.NewReader(`{"user": {"name": "Ada", "id": 17}, "tags": ["first", "second"], "rate": 2.50}`)
	err := palloc.Scope(palloc.Top(), "document", func(mc palloc.Context) error {
		mc.SetLimit(1 << 20)
		v, err := pallocjson.Parse(mc, body)
		if err != nil {
			return err // an *palloc.OutOfMemoryError if the document is too large
		}
		if user, ok := v.Get("user"); ok {
			id, _ := user.Get("id")
			n, err := id.Int64()
			fmt.Println(n, err, user)
		}
		tags, _ := v.Get("tags")
		for tag := range tags.Elements() {
			fmt.Println(tag.Text())
		}
		for name, member := range v.Members() {
			fmt.Println(name, member.Kind(), member.Len())
		}
		return nil
	}, palloc.OfKind(palloc.KindBump))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 17 <nil> {"name":"Ada","id":17}
	// first
	// second
	// user object 2
	// tags array 2
	// rate number 0
}
