//go:build !race && (386 || amd64 || s390x)

package relaxed

// storeRelease32 is a plain store: these processors make stores visible in program
// order (total store order).
func storeRelease32(p *uint32, v uint32) { *p = v }
