package block

// runCache has the cached runs of a region: of each length the run that was released
// last, set aside for the next request, which is likely to want the same length. It is
// not coalesced.
//
// Invariant: the units of a cached run are used, so that no other request gets them,
// but begin no block, so that Find does not find it. It counts as retained. Before a
// request cuts a coarser unit, all cached runs are freed.
//
// Cost: a few words to cache a run or take it again; 2 KiB a region. Freeing them all
// is at most maxCached calls of freeRun. Runs above 6 MiB are not cached: their page
// would stay the best fit with half of it used, and what was never used in it would be
// allocated before memory that is resident elsewhere.
type runCache struct {
	cached     [cachedLevels][maxUnits + 1]uintptr // offset of the run by level and length, plus one
	cachedRuns int
}

const (
	cachedLevels = 4
	maxCached    = 32
)

// cacheRun caches a run that is released. It returns false, and does nothing, if
// another one of its length is cached, if there are enough of them, or if only parts of
// a unit in it are resident.
func (r *region) cacheRun(l int, off uintptr, n uint) bool {
	if l >= cachedLevels || r.cached[l][n] != 0 || r.cachedRuns == maxCached {
		return false
	}
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	if p.part&m != 0 {
		return false
	}
	r.cached[l][n] = off + 1
	r.cachedRuns++
	store(&p.cached, p.cached|m)
	store(&p.start, p.start&^m)
	return true
}

// takeCached takes the cached run of n units of level l, if there is one and it begins
// with one of starts, and returns its offset.
func (r *region) takeCached(l int, n uint, starts uint64) (off uintptr, ok bool) {
	if l >= cachedLevels || r.cached[l][n] == 0 {
		return 0, false
	}
	off = r.cached[l][n] - 1
	p, u := r.pageOf(l, off)
	if starts&(1<<u) == 0 {
		return 0, false
	}
	r.cached[l][n] = 0
	r.cachedRuns--
	store(&p.start, p.start|1<<u)
	store(&p.cached, p.cached&^mask(u, n))
	return off, true
}

// flushCache frees all cached runs.
func (r *region) flushCache() {
	for l := 0; l < cachedLevels && r.cachedRuns > 0; l++ {
		for n := range uint(maxUnits + 1) {
			if off, ok := r.takeCached(l, n, anyUnit); ok {
				r.freeRun(l, off, n)
			}
		}
	}
}
