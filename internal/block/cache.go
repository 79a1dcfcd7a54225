package block

// runCache has the runs that were released last, by length, set aside for the next
// requests, which are likely to want the same lengths: a stack for each length. They are
// not coalesced.
//
// Invariant: all of a cached run is resident. Its units stay used, so that no other request
// gets them, and their bits in the word cached keep Find from finding it. It counts as
// retained. Before a request cuts a coarser unit, and before memory is returned to the
// system, all cached runs are freed.
//
// Cost: some ten instructions to cache a run or take it again; 14 KiB. Freeing them all is
// at most maxCached calls of freeRun. Runs above 6 MiB are not cached: their page would
// stay the best fit with half of it used, and what was never used in it would be allocated
// before memory that is resident elsewhere.
type runCache struct {
	cached [cachedLevels][maxUnits + 1]stack // by level and length
	runs   int
	bytes  uintptr
}

// stack is the addresses of the cached runs of one length. They are not in the runs, where a
// write to freed memory could change them.
type stack struct {
	runs  int
	addrs [maxStack]uintptr // the run that was released last comes last
}

const (
	cachedLevels = 4
	maxCached    = 64        // runs
	maxStack     = 8         // runs of one length
	maxStacked   = 512 << 10 // bytes; beyond that one run of each length is cached
)

// cacheRun caches the run at addr, of n units of level l, which is released and resident.
// p has it, as the bits m. It returns false, and does nothing, if enough are cached.
func (c *runCache) cacheRun(l int, n uint, addr uintptr, p *page, m uint64) bool {
	if l >= cachedLevels || c.runs == maxCached {
		return false
	}
	s, size := &c.cached[l][n], uintptr(n)<<unitShift(l)
	if s.runs != 0 && (s.runs == maxStack || c.bytes+size > maxStacked) {
		return false
	}
	store(&p.cached, p.cached|m)
	s.addrs[s.runs&(maxStack-1)] = addr
	s.runs++
	c.runs++
	c.bytes += size
	return true
}

// takeCached takes the cached run of n units of level l that was released last, if there
// is one and it begins with one of starts, and returns its address, else 0.
func (c *runCache) takeCached(l int, n uint, starts uint64) (addr uintptr) {
	if l >= cachedLevels {
		return 0
	}
	s := &c.cached[l][n]
	if s.runs == 0 {
		return 0
	}
	addr = s.addrs[(s.runs-1)&(maxStack-1)]
	r := regionOf(addr)
	p, u := r.pageOf(l, addr-r.base)
	if starts&(1<<u) == 0 {
		return 0
	}
	s.runs--
	c.runs--
	c.bytes -= uintptr(n) << unitShift(l)
	store(&p.cached, p.cached&^mask(u, n))
	return addr
}

// flushCache frees all cached runs.
func (c *runCache) flushCache() {
	for l := 0; l < cachedLevels && c.runs > 0; l++ {
		for n := range uint(maxUnits + 1) {
			for addr := c.takeCached(l, n, anyUnit); addr != 0; addr = c.takeCached(l, n, anyUnit) {
				r := regionOf(addr)
				r.freeRun(l, addr-r.base, n)
			}
		}
	}
}
