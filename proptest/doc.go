// Package proptest has the suites beside the unit tests: programs of random operations
// that are compared with a model, programs of which several must do the same, fuzz targets,
// and many goroutines at once. All of it is tests; the command in soak is the test of hours.
//
//	go test ./proptest/...                                    # all of it, some two minutes
//	go test -short ./proptest/...                             # less of each
//	go test -run Programs ./proptest -programs 1000000 -timeout 0        # the state machines for an hour or two
//	go test -run '^$' -fuzz '^FuzzAllocSet$' -fuzztime 30m -fuzzminimizetime 1x ./proptest
//	go run ./proptest/soak -for 2h
package proptest
