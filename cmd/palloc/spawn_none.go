//go:build js || wasip1

package main

// runJob does a job in this process, for there are no others here: what one job
// left behind is there when the next begins.
func runJob(j job) outcome { return perform(j) }
