//go:build !race && (386 || amd64 || s390x)

package relaxed

// release32 is a plain store: these processors show stores in their order.
func release32(p *uint32, v uint32) { *p = v }
