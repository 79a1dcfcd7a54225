//go:build js || wasip1

package main

// runJob does a job in this process, for there are no others here: what one job
// left behind is there when the next begins.
func runJob(j job, progress func(pass int)) (end event) {
	perform(j, func(e event) {
		if e.Pass > 0 {
			progress(e.Pass)
			return
		}
		end = e
	})
	return end
}
