//go:build !race && !(386 || amd64 || s390x)

package relaxed

import "sync/atomic"

func storeRelease32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }
